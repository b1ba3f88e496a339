// EFLAGS as PUSHF shows it and POPF and IRET change it, at each ring and IOPL (SDM Vol. 2B POPF table 4-21, Vol. 2A
// IRET).
#include "report.h"
#include "trap.h"

SNIPPET(flags_pushf, "pushf\npop %eax\n" STOP);
SNIPPET(flags_pushf16, "pushfw\npopw %ax\n" STOP);
SNIPPET(flags_popf, "push %ecx\npopf\npushf\npop %eax\n" STOP);
SNIPPET(flags_popf16, "push %ecx\npopfw\npushf\npop %eax\n" STOP);
SNIPPET(flags_iret, "push %ecx\npush %cs\ncall 1f\npushf\npop %eax\n" STOP "1: iret\n");
SNIPPET(flags_cli, "cli\npushf\npop %eax\n" STOP);
SNIPPET(flags_sti, "sti\npushf\npop %eax\n" STOP);
SNIPPET(flags_sahf, "mov %ecx, %eax\nsahf\npushf\npop %eax\n" STOP);
SNIPPET(flags_lahf, "push %ecx\npopf\nlahf\n" STOP);
SNIPPET(flags_simple, "stc\npushf\npop %eax\nclc\nstd\npushf\npop %ebx\ncld\ncmc\npushf\npop %edx\n" STOP);
// Without paging the 16-bit IRET cannot be used above 64 KB; it is in the v86 group.

static const u32 images[] = {0x00000002, 0x00000202, 0x00000ed7, 0x00003000, 0x00004000,
                             0x00040000, 0x00200000, 0x00247ed7, 0xffdcfeff};

// " name vector,error:eax/frame": what the snippet saw, and the frame of the trap at its end.
static void print_case(const char *name, const u8 *code, u32 ring, u32 flags, u32 image) {
    struct frame f = probe_state(ring, code);
    f.eflags = 2 | flags;
    f.ecx = image;
    const struct frame end = run(&f);
    print(" %s", name);
    if (end.vector != DONE) print(" #%u,%x", end.vector, end.error);
    print(" %x/%x", end.eax, end.eflags & ~FLAG_RF);
    if (end.esp != stack_top(ring)) print(" esp %d", (int)(end.esp - stack_top(ring)));
}

static void image_case(const char *name, const u8 *code, u32 ring, u32 image) {
    char text[80];
    format_text(text, sizeof text, "%s ring %u image %08x", name, ring, image);
    report_begin(text);
    for (u32 iopl = 0; iopl <= ring; iopl += 3)
        print_case(iopl ? "iopl3" : "iopl0", code, ring, FLAG_IOPL(iopl) | (ring == 3 ? FLAG_IF : 0), image);
    report_end();
}

void group_flags(void) {
    for (u32 ring = 0; ring < 4; ring++)
        for (u32 iopl = 0; iopl < 4; iopl++)
            for (u32 interrupts = 0; interrupts < 2; interrupts++) {
                const u32 flags = FLAG_IOPL(iopl) | (interrupts ? FLAG_IF : 0);
                char text[80];
                format_text(text, sizeof text, "ring %u iopl %u if %u", ring, iopl, interrupts);
                report_begin(text);
                print_case("pushf", flags_pushf, ring, flags, 0);
                print_case("pushfw", flags_pushf16, ring, flags, 0);
                print_case("cli", flags_cli, ring, flags, 0);
                print_case("sti", flags_sti, ring, flags, 0);
                print_case("popf+", flags_popf, ring, flags, 0x3202);
                print_case("popf-", flags_popf, ring, flags, 0x0002);
                print_case("iret+", flags_iret, ring, flags, 0x3202);
                print_case("iret-", flags_iret, ring, flags, 0x0002);
                report_end();
            }
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(images); i++) {
            // TF is a group of its own; NT would send the IRET of the way out astray.
            const u32 image = images[i] & ~(FLAG_TF | (ring == 0 ? FLAG_NT : 0));
            image_case("popf", flags_popf, ring, image);
            image_case("popfw", flags_popf16, ring, image);
            image_case("sahf", flags_sahf, ring, image);
            image_case("lahf", flags_lahf, ring, image);
            image_case("iret", flags_iret, ring, image & ~FLAG_NT & ~FLAG_VM);
        }
    for (u32 ring = 0; ring < 4; ring++) {
        const struct frame end = probe(ring, flags_simple);
        char name[32];
        format_text(name, sizeof name, "stc std cmc ring %u", ring);
        report(name, "%08x %08x %08x", end.eax, end.ebx, end.edx);
    }
}
