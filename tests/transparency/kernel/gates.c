// Call gates, far calls and returns between the rings, conforming code, and what is refused (SDM Vol. 3A 5.8).
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

// Far calls through the pointer that EAX points at.
SNIPPET(gates_call, "push $0x1111\npush $0x2222\nlcall *(%eax)\nmov %cs, %ebx\nmov %ss, %ecx\n" STOP);
SNIPPET(gates_jump, "ljmp *(%eax)\n");
SNIPPET(gates_stop, STOP);
SNIPPET(gates_return, "mov %ds, %esi\nmov %es, %edi\nlret $8\n");
SNIPPET(gates_lret, "pushl %ecx\npushl $gates_stop\nlret\n");
extern u32 gates_pointer[];
USER_DATA u32 gates_pointer[2];

// Where the parameters of a call came out, seen from the frame that STOP left.
static void print_stack(const struct frame *end, u32 ring, u32 words) {
    print(" stack");
    for (u32 i = 0; i < words; i++) {
        const u32 v = ((const u32 *)end->esp)[i];
        if (v - (u32)gates_call < 64)
            print(" call+%u", v - (u32)gates_call);
        else if (v - (stack_top(ring) - 64) < 128)
            print(" outer%d", (int)(v - stack_top(ring)));
        else
            print(" %x", v);
    }
}

static struct frame through(const u8 *code, u32 ring, u32 selector, u32 offset) {
    gates_pointer[0] = offset;
    gates_pointer[1] = selector;
    struct frame f = probe_state(ring, code);
    f.eax = (u32)gates_pointer;
    return run(&f);
}

static void report_call(const char *what, u32 from, u32 to, u32 selector, const u8 *code) {
    char name[80];
    format_text(name, sizeof name, "%s ring %u to %u", what, from, to);
    const struct frame end = through(code, from, selector, 0);
    report_begin(name);
    if (end.vector != DONE) {
        print_end(&end, code, stack_top(from));
    } else {
        const u32 ring = end.cs & 3;
        print(" cs %x ss %x esp %d eflags %x", end.cs, end.ss, (int)(end.esp - stack_top(ring)), end.eflags);
        if (end.eip == (u32)gates_stop + 2)
            print_stack(&end, from, ring == from ? 4 : 6);
        else
            print(" returned ds %x es %x cs %x ss %x", end.esi, end.edi, end.ebx, end.ecx);
    }
    report_end();
}

static void call_gates(void) {
    for (u32 from = 0; from < 4; from++)
        for (u32 to = 0; to < 4; to++) {
            gdt[SCRATCH(0) / 8] = gate(code_of(to) & ~3, (u32)gates_stop, PRESENT | DPL(3) | TYPE_CALL_GATE, 2);
            gdt[SCRATCH(1) / 8] = gate(code_of(to) & ~3, (u32)gates_return, PRESENT | DPL(3) | TYPE_CALL_GATE, 2);
            report_call("call gate", from, to, SCRATCH(0), gates_call);
            report_call("call gate and return", from, to, SCRATCH(1), gates_call);
            report_call("jump gate", from, to, SCRATCH(0), gates_jump);
        }
    for (u32 dpl = 0; dpl < 4; dpl++)
        for (u32 rpl = 0; rpl < 4; rpl++) {
            gdt[SCRATCH(0) / 8] = gate(8, (u32)gates_stop, PRESENT | DPL(dpl) | TYPE_CALL_GATE, 0);
            char name[80];
            format_text(name, sizeof name, "gate dpl %u rpl %u", dpl, rpl);
            report_begin(name);
            for (u32 ring = 0; ring < 4; ring++) {
                const struct frame end = through(gates_call, ring, SCRATCH(0) | rpl, 0);
                if (end.vector == DONE)
                    print(" ok");
                else
                    print(" #%u,%x", end.vector, end.error);
            }
            report_end();
        }
    gdt[SCRATCH(0) / 8] = gate(8, (u32)gates_stop, DPL(3) | TYPE_CALL_GATE, 0);
    report_call("absent gate", 3, 0, SCRATCH(0), gates_call);
    gdt[SCRATCH(0) / 8] = gate(0, (u32)gates_stop, PRESENT | DPL(3) | TYPE_CALL_GATE, 0);
    report_call("gate to null", 3, 0, SCRATCH(0), gates_call);
    gdt[SCRATCH(0) / 8] = gate(0x10, (u32)gates_stop, PRESENT | DPL(3) | TYPE_CALL_GATE, 0);
    report_call("gate to data", 3, 0, SCRATCH(0), gates_call);
    gdt[SCRATCH(0) / 8] = gate(SCRATCH(2), (u32)gates_stop, PRESENT | DPL(3) | TYPE_CALL_GATE, 0);
    gdt[SCRATCH(2) / 8] = segment(0, 0xfffff, DPL(0) | TYPE_CODE, GRANULAR | BIG);
    report_call("gate to absent code", 3, 0, SCRATCH(0), gates_call);
}

// The inner stack comes from the TSS and may be refused.
static void inner_stacks(void) {
    gdt[SCRATCH(0) / 8] = gate(code_of(1) & ~3, (u32)gates_stop, PRESENT | DPL(3) | TYPE_CALL_GATE, 2);
    gdt[SCRATCH(3) / 8] = segment(0, 0xfffff, DPL(1) | TYPE_DATA, GRANULAR | BIG);
    const struct {
        const char *name;
        u32 ss;
    } stacks[] = {{"ss1 null", 0},        {"ss1 of ring 0", data_of(0)}, {"ss1 with rpl 0", data_of(1) & ~3u},
                  {"ss1 code", code_of(1)}, {"ss1 absent", SCRATCH(3) | 1}, {"ss1 outside", 0xfff9}};
    for (u32 i = 0; i < COUNT(stacks); i++) {
        main_tss.ss1 = stacks[i].ss;
        report_call(stacks[i].name, 3, 1, SCRATCH(0), gates_call);
    }
    main_tss.ss1 = data_of(1);
}

static void conforming(void) {
    for (u32 dpl = 0; dpl < 4; dpl++) {
        gdt[SCRATCH(0) / 8] = segment(0, 0xfffff, PRESENT | DPL(dpl) | TYPE_CONFORMING, GRANULAR | BIG);
        char name[80];
        format_text(name, sizeof name, "conforming dpl %u", dpl);
        report_begin(name);
        for (u32 ring = 0; ring < 4; ring++)
            for (u32 rpl = 0; rpl < 4; rpl += 3) {
                const struct frame end = through(gates_call, ring, SCRATCH(0) | rpl, (u32)gates_stop);
                if (end.vector == DONE)
                    print(" cs %x", end.cs);
                else
                    print(" #%u,%x", end.vector, end.error);
            }
        report_end();
    }
}

// Returns outwards: data segments that the outer ring may not use become null.
static void returns(void) {
    for (u32 from = 0; from < 4; from++) {
        char name[80];
        format_text(name, sizeof name, "lret ring %u", from);
        report_begin(name);
        for (u32 to = 0; to < 4; to++) {
            struct frame f = probe_state(from, gates_lret);
            f.ecx = code_of(to);
            const struct frame end = run(&f);
            if (end.vector == DONE)
                print(" cs %x ss %x", end.cs, end.ss);
            else
                print(" #%u,%x", end.vector, end.error);
        }
        report_end();
    }
}

// LRET and IRET to an outer ring, with a stack and data segments of the test's choice.
SNIPPET(gates_outward, "push %ebx\npush %edx\npush %ecx\npush $1f\nlret\n1: mov %ds, %eax\nmov %es, %ebx\nmov %fs, %ecx\n"
                       "mov %gs, %edx\n" STOP);
SNIPPET(gates_outward_iret, "push %ebx\npush %edx\npushf\npush %ecx\npush $1f\niret\n1: mov %ds, %eax\nmov %es, %ebx\n"
                            "mov %fs, %ecx\nmov %gs, %edx\n" STOP);

static void outward(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } ways[] = {{"lret", gates_outward}, {"iret", gates_outward_iret}};
    gdt[SCRATCH(0) / 8] = segment(0, 0xfffff, PRESENT | DPL(0) | TYPE_CONFORMING, GRANULAR | BIG);
    gdt[SCRATCH(3) / 8] = segment(0, 0xfffff, DPL(3) | TYPE_DATA, GRANULAR | BIG);
    const u32 stacks[] = {data_of(3), data_of(3) & ~3u, data_of(0), 0, code_of(3), SCRATCH(3) | 3};
    for (u32 way = 0; way < COUNT(ways); way++) {
        for (u32 to = 1; to < 4; to++) {
            char name[80];
            format_text(name, sizeof name, "%s ring 0 to %u, data segments", ways[way].name, to);
            struct frame f = probe_state(0, ways[way].code);
            f.ecx = code_of(to);
            f.ebx = data_of(to);
            f.edx = stack_top(to);
            f.ds = data_of(0);
            f.es = data_of(3);
            f.fs = SCRATCH(0);
            f.gs = data_of(1) & ~3u;
            const struct frame end = run(&f);
            report(name, "vector %u,%x cs %x ss %x esp %d ds %x es %x fs %x gs %x", end.vector, end.error, end.cs, end.ss,
                   (int)(end.esp - stack_top(to)), end.eax, end.ebx, end.ecx, end.edx);
        }
        for (u32 i = 0; i < COUNT(stacks); i++) {
            char name[80];
            format_text(name, sizeof name, "%s ring 0 to 3, ss %x", ways[way].name, stacks[i]);
            struct frame f = probe_state(0, ways[way].code);
            f.ecx = code_of(3);
            f.ebx = stacks[i];
            f.edx = stack_top(3);
            const struct frame end = run(&f);
            report(name, "vector %u,%x cs %x ss %x", end.vector, end.error, end.cs, end.ss);
        }
    }
}

static void everything(void) {
    call_gates();
    inner_stacks();
    conforming();
    returns();
    outward();
}

void group_gates(void) {
    report_first_pass();
    everything();
    reset_tables();
    paging_on(PAGING_32);
    report_later_pass("with paging");
    everything();
}
