// Code as data: what the program reads of itself while it runs, and code that changes itself (SDM Vol. 3A 11.6).
#include "paging.h"
#include "report.h"
#include "trap.h"

extern u8 _start[], read_only_end[];

static u32 sum_of(const u8 *from, const u8 *to) {
    u32 sum = 2166136261u;
    for (; from < to; from++)
        sum = (sum ^ *from) * 16777619u;
    return sum;
}

// An instruction right ahead is replaced: `inc %eax` by `inc %ebx`.
SNIPPET(code_ahead, "movb $0x43, 1f\njmp 1f\n1: inc %eax\n" STOP);
SNIPPET(code_ahead_near, "movb $0x43, 1f\n1: inc %eax\n" STOP);
// The constant of an instruction in a loop, changed by the loop.
SNIPPET(code_loop, "mov $10, %ecx\nxor %ebx, %ebx\n1: mov $0, %eax\nadd %eax, %ebx\nincl 1b + 1\nloop 1b\n" STOP);
// A branch's displacement, changed in a loop: each time another target.
SNIPPET(code_branch, "xor %eax, %eax\nmov $3, %ecx\n1: jmp 2f\n2: add $1, %eax\nadd $0x10, %eax\nadd $0x100, %eax\n"
                     "addb $3, 1b + 1\nloop 1b\n" STOP);
// The body copied over itself by a string instruction that runs in it.
SNIPPET(code_copied, "mov $1f, %esi\nmov $2f, %edi\nmov $4, %ecx\ncld\nrep movsb\n2: inc %eax\ninc %eax\ninc %eax\n"
                     "inc %eax\n" STOP "1: inc %ebx\ninc %ebx\ninc %edx\ninc %edx\n");
// REP STOSB over itself and what follows.
SNIPPET(code_stored, "mov $2f, %edi\nmov $0x43, %al\nmov $3, %ecx\ncld\nrep stosb\n2: inc %ecx\ninc %ecx\ninc %ecx\n" STOP);
// Code made on the stack.
SNIPPET(code_stack, "push $0x7fcd4343\nmov %esp, %ecx\njmp *%ecx\n");
// Written through another mapping: EDI is the place of the alias less this one.
SNIPPET(code_alias, "mov $5, %ecx\n1: inc %eax\nxorb $(0x40 ^ 0x43), code_alias_place(%edi)\nloop 1b\n" STOP);
asm(".set code_alias_place, code_alias + 5");

static void run_code(const char *name, u32 ring, const u8 *code, u32 edi) {
    u8 kept[64];
    char text[64];
    memcpy(kept, code, sizeof kept);
    struct frame f = probe_state(ring, code);
    f.eax = f.ebx = f.ecx = f.edx = 0;
    f.edi = edi;
    const struct frame end = run(&f);
    format_text(text, sizeof text, "%s ring %u", name, ring);
    report(text, "vector %u,%x eip %d eax %x ebx %x ecx %x edx %x sum %x", end.vector, end.error,
           end.eip - (u32)code < 64 ? (int)(end.eip - (u32)code) : -1, end.eax, end.ebx, end.ecx, end.edx,
           sum_of(code, code + 64));
    memcpy((u8 *)code, kept, sizeof kept);
}

static void everything(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"ahead", code_ahead},       {"right ahead", code_ahead_near}, {"loop", code_loop},
                {"branch", code_branch},     {"rep movsb over itself", code_copied}, {"rep stosb ahead", code_stored},
                {"on the stack", code_stack}};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(list); i++) {
            char again[64];
            run_code(list[i].name, ring, list[i].code, 0);
            format_text(again, sizeof again, "%s, again", list[i].name);
            run_code(again, ring, list[i].code, 0);
        }
}

// Pages of code that are exchanged under the same address.
static void exchanged(void) {
    static const u8 one[] = {0xb8, 1, 0, 0, 0, 0xcd, DONE}, two[] = {0xb8, 2, 0, 0, 0, 0xcd, DONE};
    memcpy(arena[0], one, sizeof one);
    memcpy(arena[1], two, sizeof two);
    for (u32 ring = 0; ring < 4; ring += 3) {
        char name[32];
        format_text(name, sizeof name, "exchanged pages ring %u", ring);
        report_begin(name);
        for (u32 i = 0; i < 6; i++) {
            map(LINEAR(0), i & 1, PTE_P | PTE_W | PTE_U);
            const struct frame end = probe(ring, (const void *)LINEAR(0));
            print(" %x", end.eax);
            arena[i & 1][1] += 0x10; // and changed, from elsewhere
        }
        report_end();
    }
}

void group_code(void) {
    report("kernel", "sum %08x", sum_of(_start, read_only_end));
    report_first_pass();
    everything();
    paging_on(PAGING_32);
    report_later_pass("with paging");
    everything();
    report_passes_done();
    const u32 page = (u32)code_alias & ~(PAGE - 1);
    set_pte(LINEAR(3), page | PTE_P | PTE_W | PTE_U);
    set_pte(LINEAR(4), (page + PAGE) | PTE_P | PTE_W | PTE_U);
    flush();
    for (u32 ring = 0; ring < 4; ring += 3)
        run_code("through another mapping", ring, code_alias, LINEAR(3) - page);
    exchanged();
    report("kernel after", "sum %08x", sum_of(_start, read_only_end));
}
