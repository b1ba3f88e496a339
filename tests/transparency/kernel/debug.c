// Single steps, breakpoints and watchpoints as a debugger inside the guest uses them (SDM Vol. 3B 17).
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

#define DR6_NONE 0xffff0ff0u
#define DR7_NONE 0x400u
#define DR7_GD 0x2000u
#define EXECUTE 0u
#define WRITE 1u
#define PORT 2u
#define ACCESS 3u
// Breakpoint n, local, of a kind and a length in bytes.
#define DR7_AT(n, kind, length) (DR7_NONE | 1u << 2 * (n) | ((kind) | ((length) - 1) << 2) << (16 + 4 * (n)))

static const u8 *snippet;
static u32 steps, limit_of_steps;
static int keep_trap_flag, set_resume_flag;

// Prints " eip:dr6" for each #DB, and RF and TF where they are set in the frame, and goes on.
static int log_debug(struct frame *f) {
    if (f->vector != 1) return 0;
    // The bits of breakpoints that are not enabled may be anything (SDM Vol. 3B 17.2.3).
    u32 dr6 = read_dr6() ^ DR6_NONE;
    const u32 dr7 = read_dr7();
    for (u32 n = 0; n < 4; n++)
        if (!(dr7 >> 2 * n & 3)) dr6 &= ~(1u << n);
    print(" %d:%x", (int)(f->eip - (u32)snippet), dr6);
    if (f->eflags & FLAG_RF) print("r");
    if (f->cs & 3) print("u");
    write_dr6(DR6_NONE);
    // As debuggers do in their handler. QEMU goes on to report a watchpoint that was met until it is disabled.
    write_dr7(dr7 & ~0xffu);
    write_dr7(dr7);
    if (!keep_trap_flag) f->eflags &= ~FLAG_TF;
    if (set_resume_flag) f->eflags |= FLAG_RF;
    return ++steps < limit_of_steps;
}

static struct frame traced(const char *name, u32 ring, const u8 *code, u32 flags, u32 eax) {
    char text[80];
    format_text(text, sizeof text, "%s ring %u", name, ring);
    report_begin(text);
    snippet = code;
    steps = 0;
    limit_of_steps = 64;
    write_dr6(DR6_NONE);
    struct frame f = probe_state(ring, code);
    f.eflags |= flags;
    f.eax = eax;
    trap_hook = log_debug;
    const struct frame end = run(&f);
    trap_hook = 0;
    write_dr7(DR7_NONE);
    print(" then");
    print_end(&end, code, stack_top(ring));
    if (end.vector == 1) print(" dr6 %x", read_dr6());
    report_end();
    return end;
}

SNIPPET(step_plain, "nop\ninc %eax\npush %eax\npop %ebx\njmp 1f\nnop\n1: call 2f\n" STOP "2: ret\n");
SNIPPET(step_rep, "mov $3, %ecx\nmov $debug_words, %edi\ncld\nrep stosb\nnop\n" STOP);
SNIPPET(step_mov_ss, "mov %ss, %edx\nnop\nmov %edx, %ss\nnop\nnop\n" STOP);
SNIPPET(step_pop_ss, "push %ss\npop %ss\npushf\npop %ebx\n" STOP);
SNIPPET(step_pushf, "pushf\npop %ebx\n" STOP);
SNIPPET(step_popf_set, "pushf\norl $0x100, (%esp)\npopf\nnop\nnop\npushf\nandl $0xfffffeff, (%esp)\npopf\nnop\nnop\n" STOP);
SNIPPET(step_iret_set, "pushf\norl $0x100, (%esp)\npush %cs\ncall 1f\nnop\nnop\npushf\nandl $0xfffffeff, (%esp)\npopf\n"
                       "nop\n" STOP "1: iret\n");
SNIPPET(step_int, "nop\nint $0x50\nnop\n" STOP);
SNIPPET(step_fault, "nop\nud2\nnop\n" STOP);
SNIPPET(step_sti, "sti\nnop\ncli\nnop\n" STOP);
SNIPPET(step_fpu, "fninit\nfld1\nfstp %st(0)\nfwait\n" STOP);
SNIPPET(step_cpuid, "xor %eax, %eax\ncpuid\nrdtsc\nnop\n" STOP);
SNIPPET(step_io, "in $0x61, %al\nout %al, $0x80\nnop\n" STOP);
SNIPPET(step_seg, "push %ds\npop %ds\nmov %es, %eax\nmov %eax, %es\nlea debug_words, %ebx\nnop\n" STOP);
SNIPPET(step_icebp, "nop\n.byte 0xf1\nnop\n" STOP);
extern u32 debug_words[];
USER_DATA u32 debug_words[16];

static void single_steps(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"step", step_plain},         {"step rep", step_rep},     {"step mov ss", step_mov_ss},
                {"step pop ss", step_pop_ss}, {"step pushf", step_pushf}, {"step int", step_int},
                {"step fault", step_fault},   {"step fpu", step_fpu},     {"step cpuid", step_cpuid},
                {"step segments", step_seg}};
    keep_trap_flag = 1;
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(list); i++)
            traced(list[i].name, ring, list[i].code, FLAG_TF, 0);
    traced("step sti", 0, step_sti, FLAG_TF, 0);
    traced("step sti", 3, step_sti, FLAG_TF | FLAG_IOPL(3), 0);
    traced("step io", 0, step_io, FLAG_TF, 0);
    traced("step io", 3, step_io, FLAG_TF | FLAG_IOPL(3), 0);
    for (u32 ring = 0; ring < 4; ring += 3) {
        traced("popf sets tf", ring, step_popf_set, 0, 0);
        traced("iret sets tf", ring, step_iret_set, 0, 0);
    }
    keep_trap_flag = 0;
    traced("one step", 3, step_plain, FLAG_TF, 0);
    traced("icebp", 0, step_icebp, 0, 0);
    traced("icebp", 3, step_icebp, 0, 0);
}

SNIPPET(watch_code, "nop\ninc %eax\nnop\ninc %ebx\nnop\n" STOP);
SNIPPET(watch_loop, "mov $3, %ecx\n1: inc %eax\nloop 1b\n" STOP); // place 5 three times

// Instruction breakpoints: faults, before the instruction; RF in the returned frame lets it run.
static void instruction_breakpoints(void) {
    keep_trap_flag = 0;
    set_resume_flag = 1;
    for (u32 ring = 0; ring < 4; ring += 3) {
        for (u32 n = 0; n < 4; n++) {
            write_dr0((u32)watch_code + 1);
            write_dr1((u32)watch_code + 1);
            write_dr2((u32)watch_code + 1);
            write_dr3((u32)watch_code + 1);
            write_dr7(DR7_AT(n, EXECUTE, 1));
            char name[32];
            format_text(name, sizeof name, "execute by dr%u", n);
            traced(name, ring, watch_code, 0, 0);
        }
        write_dr0((u32)watch_code + 1);
        write_dr1((u32)watch_code + 1);
        write_dr7(DR7_AT(0, EXECUTE, 1) | DR7_AT(1, EXECUTE, 1));
        traced("execute, two at one place", ring, watch_code, 0, 0);
        write_dr1((u32)watch_code + 2);
        write_dr7(DR7_AT(0, EXECUTE, 1) | DR7_AT(1, EXECUTE, 1));
        traced("execute, two places", ring, watch_code, 0, 0);
        write_dr7(DR7_AT(0, EXECUTE, 1) | DR7_AT(1, EXECUTE, 1));
        traced("execute, rf at entry", ring, watch_code, FLAG_RF, 0);
        write_dr0((u32)watch_code);
        write_dr7(DR7_AT(0, EXECUTE, 1));
        traced("execute at entry", ring, watch_code, 0, 0);
        write_dr7(DR7_AT(0, EXECUTE, 1));
        traced("execute at entry, rf", ring, watch_code, FLAG_RF, 0);
        write_dr0((u32)watch_loop + 5);
        write_dr7(DR7_AT(0, EXECUTE, 1));
        traced("execute in loop", ring, watch_loop, 0, 0);
        write_dr0((u32)watch_code + 2);
        write_dr7(DR7_NONE | 2); // global
        traced("execute, global", ring, watch_code, 0, 0);
        write_dr7(DR7_NONE);
        traced("execute, disabled", ring, watch_code, 0, 0);
    }
    // A handler that does not set RF meets the breakpoint again.
    set_resume_flag = 0;
    write_dr0((u32)watch_code + 1);
    write_dr7(DR7_AT(0, EXECUTE, 1));
    report_begin("execute, no rf");
    snippet = watch_code;
    steps = 0;
    limit_of_steps = 3;
    trap_hook = log_debug;
    const struct frame end = probe(3, watch_code);
    trap_hook = 0;
    write_dr7(DR7_NONE);
    print_end(&end, watch_code, stack_top(3));
    report_end();
}

SNIPPET(watch_data, "mov debug_words, %eax\nmov %eax, debug_words\naddl $1, debug_words\ncmpb $0, debug_words + 3\n"
                    "movb $1, debug_words + 3\nmov %eax, debug_words + 4\nmovl $9, debug_words - 2\nnop\n" STOP);
SNIPPET(watch_stack, "mov %esp, %ebx\nmov $debug_words + 8, %esp\npush %eax\npop %eax\ncall 1f\n1: pop %ecx\nmov %ebx, %esp\n" STOP);
SNIPPET(watch_string, "mov $debug_words - 4, %edi\nmov $12, %ecx\ncld\nrep stosb\nnop\n" STOP);
SNIPPET(watch_mov_ss, "mov %ss, %edx\nmov debug_words, %ss\nnop\nnop\n" STOP);
SNIPPET(watch_enter, "push $1\nmovl $5, debug_words\npop %eax\n" STOP);

static void watchpoints(void) {
    static const u32 kinds[] = {WRITE, ACCESS};
    static const u32 lengths[] = {1, 2, 4};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 k = 0; k < COUNT(kinds); k++)
            for (u32 l = 0; l < COUNT(lengths); l++) {
                char name[64];
                format_text(name, sizeof name, "%s %u", kinds[k] == WRITE ? "write" : "access", lengths[l]);
                write_dr1((u32)debug_words);
                write_dr7(DR7_AT(1, kinds[k], lengths[l]));
                traced(name, ring, watch_data, 0, 0);
            }
    for (u32 ring = 0; ring < 4; ring += 3) {
        write_dr1((u32)debug_words + 3);
        write_dr7(DR7_AT(1, WRITE, 1));
        traced("write 1, last byte", ring, watch_data, 0, 0);
        write_dr0((u32)debug_words);
        write_dr1((u32)debug_words);
        write_dr7(DR7_AT(0, WRITE, 4) | DR7_AT(1, ACCESS, 4));
        traced("write and access", ring, watch_data, 0, 0);
        write_dr0((u32)debug_words + 4);
        write_dr7(DR7_AT(0, ACCESS, 4));
        if (ring == 3) traced("access by the stack", ring, watch_stack, 0, 0);
        write_dr0((u32)debug_words);
        write_dr7(DR7_AT(0, WRITE, 4));
        traced("write by rep stosb", ring, watch_string, 0, 0);
        keep_trap_flag = 1;
        write_dr0((u32)debug_words);
        write_dr7(DR7_AT(0, WRITE, 4));
        traced("write while stepping", ring, watch_enter, FLAG_TF, 0);
        keep_trap_flag = 0;
        // A trap that the load of SS holds back, to after the next instruction.
        debug_words[0] = data_of(ring);
        write_dr0((u32)debug_words);
        write_dr7(DR7_AT(0, ACCESS, 2));
        traced("access by mov ss", ring, watch_mov_ss, 0, 0);
    }
}

SNIPPET(general_detect, "mov %eax, %dr7\nmov %dr7, %ebx\nmov %dr6, %ecx\nnop\n" STOP);
SNIPPET(general_write, "mov %eax, %dr7\nmov %eax, %dr0\nnop\n" STOP);
SNIPPET(dr4_read, "mov %dr4, %eax\n" STOP);
SNIPPET(dr5_read, "mov %dr5, %eax\n" STOP);

static void registers(void) {
    write_dr0(0x12345678);
    write_dr1(0xffffffff);
    write_dr2(0);
    write_dr3(0x80000001);
    report("values", "%x %x %x %x", read_dr0(), read_dr1(), read_dr2(), read_dr3());
    static const u32 values[] = {0, 0xffffffff, 0xf, 0xe000, 0x1000};
    for (u32 i = 0; i < COUNT(values); i++) {
        write_dr6(values[i]);
        char name[32];
        format_text(name, sizeof name, "dr6 %08x", values[i]);
        report(name, "reads %08x", read_dr6());
    }
    write_dr6(DR6_NONE);
    // All but the enabling bits, and GD: nothing must fire here.
    static const u32 controls[] = {0, 0x400, 0xffffdc00, 0x0000dc00, 0x00000300};
    for (u32 i = 0; i < COUNT(controls); i++) {
        write_dr7(controls[i]);
        char name[32];
        format_text(name, sizeof name, "dr7 %08x", controls[i]);
        report(name, "reads %08x", read_dr7());
    }
    write_dr7(DR7_NONE);
    report_probe("dr4", 0, dr4_read);
    report_probe("dr5", 0, dr5_read);
    write_cr4(read_cr4() | CR4_DE);
    report_probe("dr4, cr4.de", 0, dr4_read);
    report_probe("dr5, cr4.de", 0, dr5_read);
    write_cr4(read_cr4() & ~CR4_DE);
    traced("general detect, read", 0, general_detect, 0, DR7_NONE | DR7_GD);
    traced("general detect, write", 0, general_write, 0, DR7_NONE | DR7_GD);
    report("dr0", "%x", read_dr0());
    write_dr0(0);
}

static void port_breakpoints(void) {
    write_cr4(read_cr4() | CR4_DE);
    write_dr0(0x61);
    write_dr7(DR7_AT(0, PORT, 1));
    traced("port", 0, step_io, 0, 0);
    write_dr0(0x80);
    write_dr7(DR7_AT(0, PORT, 1));
    traced("port", 3, step_io, FLAG_IOPL(3), 0);
    write_cr4(read_cr4() & ~CR4_DE);
}

// RF as the frames of faults, traps and software interrupts show it.
SNIPPET(resume_fault, "ud2\n");
SNIPPET(resume_gp, "mov $0x1234, %eax\nmov %eax, %ds\n");
SNIPPET(resume_page, "mov 0x500000, %eax\n" STOP);
SNIPPET(resume_int, STOP);
SNIPPET(resume_int3, "int3\n");

void group_resume(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"#UD", resume_fault}, {"#GP", resume_gp}, {"#PF", resume_page}, {"int n", resume_int}, {"int3", resume_int3}};
    paging_on(PAGING_32);
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 0; i < COUNT(list); i++) {
            char name[64];
            format_text(name, sizeof name, "%s ring %u", list[i].name, ring);
            const struct frame end = probe(ring, list[i].code);
            report(name, "vector %u rf %u", end.vector, end.eflags >> 16 & 1);
        }
}

void group_debug(void) {
    write_dr7(DR7_NONE);
    report_first_pass();
    for (u32 paged = 0; paged < 2; paged++) {
        if (paged) {
            paging_on(PAGING_32);
            report_later_pass("with paging");
        }
        single_steps();
        instruction_breakpoints();
        watchpoints();
        registers();
        port_breakpoints();
    }
    write_dr6(DR6_NONE);
    write_dr7(DR7_NONE);
}
