// Hardware task switches: jumps, calls, interrupts and returns, what they save, load and mark (SDM Vol. 3A 7.3).
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

#define TASK SCRATCH(0)
#define TASK_GATE SCRATCH(1)
#define HANDLER SCRATCH(2)

SNIPPET(tasks_jump, "ljmp *(%eax)\nmov $0xbac1, %ebx\n" STOP);
SNIPPET(tasks_call, "stc\nlcall *(%eax)\nmov $0xbac1, %ebx\n" STOP);
SNIPPET(tasks_int, "int $0x50\nmov $0xbac1, %ebx\n" STOP);
SNIPPET(tasks_ud, "ud2\nmov $0xbac1, %ebx\n" STOP);
SNIPPET(tasks_gp, "mov $0x1234, %eax\nmov %eax, %ds\nmov $0xbac1, %ebx\n" STOP);
SNIPPET(tasks_body, "pushf\npop %ecx\nmov %ss, %edx\n" STOP);
SNIPPET(tasks_back, "mov $0x5a5a, %esi\niret\nmov $0x5b5b, %esi\njmp tasks_back\n");
SNIPPET(tasks_pop_error, "pop %esi\n" STOP);
extern u32 tasks_pointer[];
USER_DATA u32 tasks_pointer[2];

static struct tss task, handler;
static u8 task_stack[1024] __attribute__((aligned(16)));

static void prepare(u32 ring, const u8 *code) {
    reset_tables();
    main_tss.cr3 = read_cr3(); // the processor does not save it
    memset(&task, 0, sizeof task);
    task.esp0 = (u32)task_stack + sizeof task_stack;
    task.ss0 = data_of(0);
    task.cr3 = read_cr3();
    task.eip = (u32)code;
    task.eflags = 2;
    task.eax = 0xa0a0;
    task.ecx = 0xa1a1;
    task.edx = 0xa2a2;
    task.ebx = 0xa3a3;
    task.esp = stack_top(ring);
    task.ebp = 0xa5a5;
    task.esi = 0xa6a6;
    task.edi = 0xa7a7;
    task.cs = code_of(ring);
    task.ss = task.ds = task.es = task.fs = task.gs = data_of(ring);
    task.ldt = LDT_SELECTOR;
    task.io_map = sizeof task;
    gdt[TASK / 8] = segment((u32)&task, sizeof task - 1, PRESENT | DPL(3) | TYPE_TSS, 0);
    gdt[TASK_GATE / 8] = gate(TASK, 0, PRESENT | DPL(3) | TYPE_TASK_GATE, 0);
    idt[0x50] = gate(TASK, 0, PRESENT | DPL(3) | TYPE_TASK_GATE, 0);
}

static struct frame go(u32 ring, const u8 *code, u32 selector) {
    tasks_pointer[0] = 0xdeadbeef; // not looked at
    tasks_pointer[1] = selector;
    struct frame f = probe_state(ring, code);
    f.eax = (u32)tasks_pointer;
    write_cr0(read_cr0() & ~CR0_TS);
    return run(&f);
}

static u32 task_register(void) {
    u32 v = 0;
    asm volatile("str %w0" : "+r"(v));
    return v;
}

static u32 access_of(u32 selector) { return (u32)(gdt[selector / 8] >> 40) & 0xff; }

static void report_switch(const char *name, u32 ring, const struct frame *end, const u8 *code) {
    char text[80];
    format_text(text, sizeof text, "%s ring %u", name, ring);
    report_begin(text);
    print(" vector %u,%x cs %x ss %x eflags %x eax %x ebx %x ecx %x edx %x esi %x tr %x access %x %x ts %u", end->vector,
          end->error, end->cs, end->ss, end->eflags & ~FLAG_RF, end->eax == (u32)tasks_pointer ? 0xeeee : end->eax,
          end->ebx, end->ecx, end->edx, end->esi, task_register(), access_of(TSS_SELECTOR), access_of(TASK),
          read_cr0() >> 3 & 1);
    print(" saved eip %d eflags %x cs %x ss %x esp %d eax %x link %x",
          main_tss.eip ? (int)(main_tss.eip - (u32)code) : -1, main_tss.eflags & ~FLAG_RF, main_tss.cs, main_tss.ss,
          main_tss.esp ? (int)(main_tss.esp - stack_top(ring)) : -1, main_tss.eax == (u32)tasks_pointer ? 0xeeee : main_tss.eax,
          task.link);
    if (task.eip != (u32)tasks_body) print(" task eip %d", (int)(task.eip - (u32)tasks_back));
    report_end();
    write_cr0(read_cr0() & ~CR0_TS);
}

static void switches(void) {
    static const struct {
        const char *name;
        const u8 *code;
        u32 selector;
    } ways[] = {{"jump to tss", tasks_jump, TASK},
                {"call to tss", tasks_call, TASK},
                {"jump to gate", tasks_jump, TASK_GATE},
                {"call to gate", tasks_call, TASK_GATE},
                {"int to gate", tasks_int, 0}};
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 to = 0; to < 4; to += 3)
            for (u32 i = 0; i < COUNT(ways); i++) {
                prepare(to, tasks_body);
                const struct frame end = go(ring, ways[i].code, ways[i].selector);
                char name[64];
                format_text(name, sizeof name, "%s of ring %u from", ways[i].name, to);
                report_switch(name, ring, &end, ways[i].code);
            }
    // And back by IRET with NT set.
    for (u32 ring = 0; ring < 4; ring += 3)
        for (u32 i = 1; i < COUNT(ways); i++) {
            if (i == 2) continue; // a jump does not nest
            prepare(0, tasks_back);
            const struct frame end = go(ring, ways[i].code, ways[i].selector);
            char name[64];
            format_text(name, sizeof name, "%s and back from", ways[i].name);
            report_switch(name, ring, &end, ways[i].code);
        }
}

static void exceptions(void) {
    // By a task gate: #UD without, #GP with an error code, pushed on the new task's stack.
    for (u32 ring = 0; ring < 4; ring += 3) {
        prepare(0, tasks_body);
        idt[6] = gate(TASK, 0, PRESENT | TYPE_TASK_GATE, 0);
        struct frame end = go(ring, tasks_ud, 0);
        report_switch("#UD by task gate", ring, &end, tasks_ud);
        prepare(0, tasks_pop_error);
        idt[13] = gate(TASK, 0, PRESENT | TYPE_TASK_GATE, 0);
        end = go(ring, tasks_gp, 0);
        report_switch("#GP by task gate", ring, &end, tasks_gp);
    }
    // A double fault, the use that systems make of it.
    prepare(0, tasks_pop_error);
    idt[8] = gate(TASK, 0, PRESENT | TYPE_TASK_GATE, 0);
    idt[13] = 0;
    const struct frame end = go(3, tasks_gp, 0);
    report_switch("#DF by task gate", 3, &end, tasks_gp);
}

static void refused(void) {
    static const struct {
        const char *name;
        u32 ring, offset, value; // a field of the new task's TSS
    } fields[] = {{"cs null", 0, 0x4c, 0},
                  {"cs data", 0, 0x4c, 0x10},
                  {"cs of ring 3 with rpl 0", 0, 0x4c, 0x38},
                  {"ss null", 0, 0x50, 0},
                  {"ss of ring 3", 0, 0x50, 0x43},
                  {"ss code", 0, 0x50, 8},
                  {"ss of ring 0 at ring 3", 3, 0x50, 0x10},
                  {"ds of nothing", 0, 0x54, 0x1f8},
                  {"ds of ring 0 at ring 3", 3, 0x54, 0x10},
                  {"ldt data", 0, 0x60, 0x10},
                  {"ldt outside", 0, 0x60, 0xfff8},
                  {"es null", 0, 0x48, 0}};
    for (u32 i = 0; i < COUNT(fields); i++) {
        prepare(fields[i].ring, tasks_body);
        *(u32 *)((u8 *)&task + fields[i].offset) = fields[i].value;
        // Only a task of its own can handle this: the new task is half loaded (SDM Vol. 3A 6.15, interrupt 10).
        handler = task;
        handler.eip = (u32)tasks_pop_error;
        handler.cs = code_of(0);
        handler.ss = handler.ds = handler.es = handler.fs = handler.gs = data_of(0);
        handler.ldt = LDT_SELECTOR;
        handler.esp = (u32)task_stack + sizeof task_stack;
        gdt[HANDLER / 8] = segment((u32)&handler, sizeof handler - 1, PRESENT | TYPE_TSS, 0);
        for (u32 vector = 10; vector < 13; vector++)
            idt[vector] = gate(HANDLER, 0, PRESENT | TYPE_TASK_GATE, 0);
        const struct frame end = go(3, tasks_jump, TASK);
        report(fields[i].name, "vector %u error %x task %x, back to %x, eip there %s", end.vector, end.esi, task_register(),
               handler.link & 0xffff, task.eip == (u32)tasks_body ? "as it was" : "moved");
    }
    prepare(0, tasks_body);
    gdt[TASK / 8] = segment((u32)&task, 0x66, PRESENT | DPL(3) | TYPE_TSS, 0);
    struct frame end = go(3, tasks_jump, TASK);
    report("tss too small", "vector %u,%x in task %x", end.vector, end.error, task_register());
    prepare(0, tasks_body);
    gdt[TASK / 8] = segment((u32)&task, sizeof task - 1, DPL(3) | TYPE_TSS, 0);
    end = go(3, tasks_jump, TASK);
    report("tss absent", "vector %u,%x in task %x", end.vector, end.error, task_register());
    prepare(0, tasks_body);
    gdt[TASK / 8] = segment((u32)&task, sizeof task - 1, PRESENT | DPL(3) | TYPE_TSS_BUSY, 0);
    end = go(3, tasks_jump, TASK);
    report("tss busy", "vector %u,%x in task %x", end.vector, end.error, task_register());
    prepare(0, tasks_body);
    gdt[TASK / 8] = segment((u32)&task, sizeof task - 1, PRESENT | DPL(0) | TYPE_TSS, 0);
    end = go(3, tasks_jump, TASK);
    report("tss of dpl 0", "vector %u,%x in task %x", end.vector, end.error, task_register());
    prepare(0, tasks_body);
    end = go(3, tasks_call, TSS_SELECTOR);
    report("call to itself", "vector %u,%x in task %x", end.vector, end.error, task_register());
    prepare(0, tasks_body);
    task.trap = 1;
    end = go(0, tasks_jump, TASK);
    report("T bit", "vector %u,%x eip %d dr6 %x", end.vector, end.error, (int)(end.eip - (u32)tasks_body), read_dr6());
}

void group_tasks(void) {
    report_first_pass();
    switches();
    exceptions();
    refused();
    reset_tables();
    paging_on(PAGING_32);
    report_later_pass("with paging");
    switches();
    exceptions();
    refused();
}
