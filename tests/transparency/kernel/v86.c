// Virtual-8086 mode without VME: flags, what is refused by IOPL, segments, and the frames of the way out (SDM Vol. 3A 20).
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

// Below 1 MB, where the boot loader has ended its work.
#define PLACE 0x20000u
#define SEGMENT 0x2000u
#define STACK 0x0f00u

#define SNIPPET16(name, text) SNIPPET(name, ".code16\n" text)
SNIPPET16(v86_pushf, "pushf\npop %ax\nint $0x7f\n");
SNIPPET16(v86_pushfl, "pushfl\npop %eax\nint $0x7f\n");
SNIPPET16(v86_popf, "push %cx\npopf\npushf\npop %ax\nint $0x7f\n");
SNIPPET16(v86_popfl, "push %ecx\npopfl\npushfl\npop %eax\nint $0x7f\n");
SNIPPET16(v86_cli, "cli\nint $0x7f\n");
SNIPPET16(v86_sti, "sti\nint $0x7f\n");
SNIPPET16(v86_hlt, "hlt\nint $0x7f\n");
SNIPPET16(v86_in, "in $0x61, %al\nint $0x7f\n");
SNIPPET16(v86_out, "mov $0x80, %dx\nout %al, %dx\nint $0x7f\n");
SNIPPET16(v86_int, "int $0x50\nint $0x7f\n");
SNIPPET16(v86_int3, "int3\nint $0x7f\n");
SNIPPET16(v86_into, "mov $0x7fff, %ax\ninc %ax\ninto\nint $0x7f\n");
SNIPPET16(v86_icebp, ".byte 0xf1\nint $0x7f\n");
SNIPPET16(v86_iret, "push %cx\npush %cs\npush $v86_iret_end - v86_iret\niret\nv86_iret_end: pushf\npop %ax\nint $0x7f\n");
SNIPPET16(v86_segments, "mov %cs, %ax\nmov %ds, %bx\nmov $0x1234, %cx\nmov %cx, %fs\nmov %fs, %dx\nmov $0x2001, %cx\n"
                        "mov %cx, %es\nmov %es:0x100, %si\nint $0x7f\n");
SNIPPET16(v86_far, "lcall $0x2000, $v86_far_end - v86_far\nv86_far_end: pop %ax\npop %bx\nint $0x7f\n");
SNIPPET16(v86_far_jump, "ljmp $0x2001, $v86_far_jump_end - v86_far_jump - 16\n.fill 16, 1, 0x90\nv86_far_jump_end: mov %cs, %ax\nint $0x7f\n");
SNIPPET16(v86_lar, "lar %ax, %bx\nint $0x7f\n");
SNIPPET16(v86_arpl, "arpl %ax, %bx\nint $0x7f\n");
SNIPPET16(v86_lgdt, "lgdt 0x100\nint $0x7f\n");
SNIPPET16(v86_sgdt, "sgdt 0x100\nint $0x7f\n");
SNIPPET16(v86_smsw, "smsw %ax\nint $0x7f\n");
SNIPPET16(v86_lmsw, "lmsw %ax\nint $0x7f\n");
SNIPPET16(v86_mov_cr, "mov %cr0, %eax\nint $0x7f\n");
SNIPPET16(v86_clts, "clts\nint $0x7f\n");
SNIPPET16(v86_ud, "ud2\n");
SNIPPET16(v86_divide, "xor %cx, %cx\ndiv %cx\n");
SNIPPET16(v86_bound, "mov $9, %ax\nbound %ax, 0x100\nint $0x7f\n");
SNIPPET16(v86_limit, "mov $0xffff, %bx\nmov (%bx), %ax\nint $0x7f\n");
SNIPPET16(v86_limit_write, "mov $0xfffe, %bx\nmovl %eax, (%bx)\nint $0x7f\n");
SNIPPET16(v86_limit_stack, "mov $1, %sp\npush %ax\nint $0x7f\n");
SNIPPET16(v86_address32, "mov $0x10000, %ebx\naddr32 movb (%ebx), %al\nint $0x7f\n");
SNIPPET16(v86_page, "mov $0x4000, %ax\nmov %ax, %es\nmov %es:0, %al\nint $0x7f\n");
SNIPPET16(v86_lock, ".byte 0xf0, 0x90\n");
SNIPPET16(v86_long, ".fill 15, 1, 0x26\nnop\n");
SNIPPET16(v86_step, "nop\npush %ax\npop %bx\nmov %ss, %ax\nmov %ax, %ss\nnop\nnop\nint $0x7f\n");

static u32 steps;

static int log_steps(struct frame *f) {
    if (f->vector != 1) return 0;
    print(" %x", f->eip);
    return ++steps < 20;
}

static struct frame run_v86(const u8 *code, u32 iopl, u32 ecx) {
    memcpy((void *)PLACE, code, 64);
    memset((void *)(PLACE + 0x100), 0x11, 32);
    struct frame f = probe_state(3, 0);
    f.eip = 0;
    f.cs = f.ss = f.v86_ds = SEGMENT;
    f.v86_es = 0x2345;
    f.v86_fs = 0x0003;
    f.v86_gs = 0xffff;
    f.esp = 0xabcd0000 | STACK;
    f.eflags = 2 | FLAG_VM | FLAG_IOPL(iopl);
    f.ecx = ecx;
    return run(&f);
}

// The frame as it is pushed, with all that v86 adds to it.
static void print_v86(const struct frame *end) {
    print(" #%u,%x eip %x cs %x eflags %x esp %x ss %x es %x ds %x fs %x gs %x", end->vector, end->error, end->eip, end->cs,
          end->eflags & ~FLAG_RF, end->esp, end->ss, end->v86_es, end->v86_ds, end->v86_fs, end->v86_gs);
    print(" ax %x bx %x cx %x dx %x si %x in %x %x", end->eax, end->ebx, end->ecx, end->edx, end->esi, end->ds & 0xffff, end->fs & 0xffff);
}

static void everything(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } by_iopl[] = {{"pushf", v86_pushf}, {"pushfl", v86_pushfl}, {"popf", v86_popf}, {"popfl", v86_popfl},
                   {"cli", v86_cli},     {"sti", v86_sti},       {"int", v86_int},   {"iret", v86_iret}},
      others[] = {{"hlt", v86_hlt},         {"in", v86_in},
                  {"out", v86_out},         {"int3", v86_int3},
                  {"into", v86_into},       {"icebp", v86_icebp},
                  {"segments", v86_segments}, {"far call", v86_far},
                  {"far jump", v86_far_jump}, {"lar", v86_lar},
                  {"arpl", v86_arpl},       {"lgdt", v86_lgdt},
                  {"sgdt", v86_sgdt},       {"smsw", v86_smsw},
                  {"lmsw", v86_lmsw},       {"mov cr0", v86_mov_cr},
                  {"clts", v86_clts},       {"ud2", v86_ud},
                  {"div", v86_divide},      {"bound", v86_bound},
                  {"limit", v86_limit},     {"limit, write", v86_limit_write},
                  {"limit, stack", v86_limit_stack}, {"limit, 32-bit address", v86_address32},
                  {"page", v86_page},       {"lock", v86_lock},
                  {"prefixes too many", v86_long}};
    char name[64];
    for (u32 i = 0; i < COUNT(by_iopl); i++)
        for (u32 iopl = 0; iopl < 4; iopl++)
            for (u32 image = 0; image < 2; image++) {
                // The interrupts of the machine are masked: IF may be set.
                const struct frame end = run_v86(by_iopl[i].code, iopl, image ? 0x247cd7 : 0x3000);
                format_text(name, sizeof name, "%s iopl %u image %u", by_iopl[i].name, iopl, image);
                report(name, "#%u,%x eip %x eax %x eflags %x esp %x", end.vector, end.error, end.eip, end.eax,
                       end.eflags & ~FLAG_RF, end.esp);
            }
    for (u32 i = 0; i < COUNT(others); i++)
        for (u32 iopl = 0; iopl < 4; iopl += 3) {
            const struct frame end = run_v86(others[i].code, iopl, 0x11111111);
            format_text(name, sizeof name, "%s iopl %u", others[i].name, iopl);
            report_begin(name);
            print_v86(&end);
            report_end();
        }
    // Ring 3 may call the vector: with IOPL 3 it goes through, with less it is refused before that is looked at.
    idt[0x50] = gate(code_of(0), door_of(0x50), PRESENT | DPL(3) | TYPE_INTERRUPT_GATE, 0);
    for (u32 iopl = 0; iopl < 4; iopl++) {
        const struct frame end = run_v86(v86_int, iopl, 0);
        format_text(name, sizeof name, "int through, iopl %u", iopl);
        report_begin(name);
        print_v86(&end);
        report_end();
    }
    idt[0x50] = gate(code_of(1), door_of(0x50), PRESENT | DPL(3) | TYPE_INTERRUPT_GATE, 0);
    const struct frame end = run_v86(v86_int, 3, 0);
    report("int to ring 1", "#%u,%x eip %x", end.vector, end.error, end.eip);
    reset_idt();
    report_begin("steps");
    steps = 0;
    trap_hook = log_steps;
    memcpy((void *)PLACE, v86_step, 64);
    struct frame f = probe_state(3, 0);
    f.eip = 0;
    f.cs = f.ss = f.v86_ds = SEGMENT;
    f.esp = STACK;
    f.eflags = 2 | FLAG_VM | FLAG_TF;
    run(&f);
    trap_hook = 0;
    report_end();
}

// The I/O permission bitmap, which v86 asks at any IOPL.
static void io_map(void) {
    static struct {
        struct tss tss;
        u8 map[0x40];
        u8 end;
    } long_tss;
    memcpy(&long_tss.tss, &main_tss, sizeof main_tss);
    long_tss.tss.io_map = sizeof main_tss;
    long_tss.end = 0xff;
    gdt[TSS_SELECTOR / 8] = segment((u32)&long_tss, sizeof long_tss - 1, PRESENT | TYPE_TSS, 0);
    asm volatile("ltr %w0" ::"r"(TSS_SELECTOR));
    for (u32 allowed = 0; allowed < 2; allowed++)
        for (u32 iopl = 0; iopl < 4; iopl += 3) {
            long_tss.map[0x61 / 8] = allowed ? 0 : 1 << (0x61 & 7);
            const struct frame end = run_v86(v86_in, iopl, 0);
            char name[64];
            format_text(name, sizeof name, "io map %u iopl %u", allowed, iopl);
            report(name, "#%u,%x eip %x", end.vector, end.error, end.eip);
        }
    reset_tables();
}

void group_v86(void) {
    report_first_pass();
    everything();
    io_map();
    paging_on(PAGING_32);
    for (u32 at = PLACE; at <= PLACE + 0x10000; at += PAGE) // one page more than the limit allows
        set_pte(at, at | PTE_P | PTE_W | PTE_U);
    flush();
    report_later_pass("with paging");
    everything();
    io_map();
}
