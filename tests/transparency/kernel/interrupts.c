// Interrupts of the PIC: exactly where they come in, and the frames they leave, in each mode.
#include "descriptors.h"
#include "paging.h"
#include "report.h"
#include "trap.h"

#define PIC1 0x20u
#define PIC2 0xa0u
#define TIMER 0x20u // its vector

SNIPPET(irq_none, "nop\nnop\n" STOP);
SNIPPET(irq_sti, "sti\ninc %eax\ninc %eax\ninc %eax\n" STOP);
SNIPPET(irq_sti_sti, "sti\nsti\ninc %eax\ninc %eax\n" STOP);
SNIPPET(irq_sti_cli, "sti\ncli\ninc %eax\ninc %eax\n" STOP);
SNIPPET(irq_sti_popf, "pushf\nsti\npopf\nnop\nnop\n" STOP);
SNIPPET(irq_popf, "pushf\norl $0x200, (%esp)\npopf\nnop\nnop\n" STOP);
SNIPPET(irq_iret, "pushf\norl $0x200, (%esp)\npush %cs\ncall 1f\nnop\nnop\n" STOP "1: iret\n");
SNIPPET(irq_sti_hlt, "sti\nhlt\nnop\n" STOP);
SNIPPET(irq_hlt, "hlt\nnop\n" STOP);
SNIPPET(irq_sti_rep, "mov $4, %ecx\nmov $irq_words, %edi\nsti\nrep stosb\nnop\n" STOP);
SNIPPET(irq_spin, "1: jmp 1b\n");
SNIPPET(irq_sti_int, "sti\nint $0x50\nnop\n" STOP);
SNIPPET(irq_sti_ud, "sti\nud2\nnop\n" STOP);
SNIPPET(irq_v86_spin, ".code16\n1: jmp 1b\n");
SNIPPET(irq_code16, ".code16\n1: jmp 1b\n");
extern u8 irq_words[];
USER_DATA u8 irq_words[16];

static void end_of_interrupt(void) { out8(PIC1, 0x20); }

static void start_pic(void) {
    out8(PIC1, 0x11);
    out8(PIC1 + 1, TIMER);
    out8(PIC1 + 1, 4);
    out8(PIC1 + 1, 1);
    out8(PIC2, 0x11);
    out8(PIC2 + 1, TIMER + 8);
    out8(PIC2 + 1, 2);
    out8(PIC2 + 1, 1);
    out8(PIC1 + 1, 0xfe);
    out8(PIC2 + 1, 0xff);
}

static u8 requests(void) {
    out8(PIC1, 0x0a);
    return in8(PIC1);
}

// One pulse of the timer, in `ticks` of 838 ns.
static void start_timer(u32 ticks) {
    out8(0x43, 0x30);
    out8(0x40, (u8)ticks);
    out8(0x40, (u8)(ticks >> 8));
}

// An interrupt that waits: the request is up, IF is clear.
static void make_request(void) {
    start_timer(20);
    while (!(requests() & 1))
        ;
}

static void settle(const struct frame *end) {
    if (end->vector == TIMER) end_of_interrupt();
    // A request that was not taken: by a poll, which acknowledges it.
    while (requests() & 1) {
        out8(PIC1, 0x0c);
        (void)in8(PIC1);
        end_of_interrupt();
    }
}

// Of several instructions in a row that hold interrupts back only the first is sure to do so (SDM Vol. 2B STI): STI before
// MOV SS is not here.
static void waiting(const char *name, u32 ring, const u8 *code, u32 flags) {
    char text[64];
    make_request();
    struct frame f = probe_state(ring, code);
    f.eflags = 2 | flags | FLAG_IOPL(3);
    f.edx = data_of(ring);
    const struct frame end = run(&f);
    format_text(text, sizeof text, "%s ring %u", name, ring);
    report_begin(text);
    print_end(&end, code, stack_top(ring));
    print(" eax %x ecx %x", end.eax, end.ecx);
    report_end();
    settle(&end);
}

// The machine runs or halts until the timer comes.
static void coming(const char *name, const struct frame *f, const u8 *code, u32 stack) {
    start_timer(60000); // long enough to get there, on a slow machine too
    const struct frame end = run(f);
    report_begin(name);
    print_end(&end, code, stack);
    if (end.eflags & FLAG_VM) print(" v86 %x %x %x %x", end.v86_es, end.v86_ds, end.v86_fs, end.v86_gs);
    report_end();
    settle(&end);
}

static void everything(void) {
    static const struct {
        const char *name;
        const u8 *code;
    } list[] = {{"no interrupts", irq_none},     {"sti", irq_sti},           {"sti sti", irq_sti_sti},
                {"sti cli", irq_sti_cli},        {"sti popf", irq_sti_popf},      {"popf", irq_popf},         {"iret", irq_iret},
                {"sti rep", irq_sti_rep},        {"sti int", irq_sti_int},   {"sti ud2", irq_sti_ud}};
    for (u32 ring = 0; ring < 4; ring++) {
        for (u32 i = 0; i < COUNT(list); i++)
            waiting(list[i].name, ring, list[i].code, 0);
        waiting("at entry", ring, irq_none, FLAG_IF);
    }
    waiting("sti hlt, waiting", 0, irq_sti_hlt, 0);
    struct frame f;
    char name[64];
    for (u32 ring = 0; ring < 4; ring++) {
        f = probe_state(ring, irq_spin);
        f.eflags |= FLAG_IF;
        format_text(name, sizeof name, "spinning ring %u", ring);
        coming(name, &f, irq_spin, stack_top(ring));
        gdt[SCRATCH(0) / 8] = segment((u32)irq_code16, 0xffff, PRESENT | DPL(ring) | TYPE_CODE, 0);
        f.cs = SCRATCH(0) | ring;
        f.eip = 0;
        format_text(name, sizeof name, "spinning 16 bits ring %u", ring);
        coming(name, &f, 0, stack_top(ring));
    }
    f = probe_state(0, irq_sti_hlt);
    coming("sti hlt", &f, irq_sti_hlt, stack_top(0));
    f = probe_state(0, irq_hlt);
    f.eflags |= FLAG_IF;
    coming("hlt", &f, irq_hlt, stack_top(0));
    memcpy((void *)0x20000, irq_v86_spin, 16);
    f = probe_state(3, 0);
    f.cs = f.ss = f.v86_ds = 0x2000;
    f.v86_es = 0x1111;
    f.v86_fs = 0x2222;
    f.v86_gs = 0x3333;
    f.esp = 0xf00;
    f.eflags = 2 | FLAG_VM | FLAG_IF;
    coming("spinning v86", &f, 0, 0);
}

// Many interrupts, counted: ring 3 works between them, and its registers stay what they are.
SNIPPET(irq_work, "xor %eax, %eax\n1: inc %eax\nlea (%eax,%eax,2), %ebx\npush %ebx\npop %ecx\nsub %eax, %ecx\nsub %eax, %ecx\n"
                  "cmp %eax, %ecx\nje 1b\n" STOP);
static u32 taken;
static int count_interrupts(struct frame *f) {
    if (f->vector != TIMER) return 0;
    end_of_interrupt();
    return ++taken < 50;
}

static void many(void) {
    for (u32 ring = 0; ring < 4; ring += 3) {
        char name[64];
        taken = 0;
        trap_hook = count_interrupts;
        out8(0x43, 0x34);
        out8(0x40, 0xe8);
        out8(0x40, 3); // every 1000 ticks
        struct frame f = probe_state(ring, irq_work);
        f.eflags |= FLAG_IF;
        const struct frame end = run(&f);
        trap_hook = 0;
        out8(0x43, 0x30);
        format_text(name, sizeof name, "many ring %u", ring);
        report(name, "%u taken, work %s", taken, end.vector == TIMER ? "right" : "wrong");
        settle(&end);
    }
}

void group_interrupts(void) {
    start_pic();
    out8(0x43, 0x30);
    struct frame none = {0};
    settle(&none);
    report_first_pass();
    everything();
    many();
    paging_on(PAGING_32);
    for (u32 at = 0x20000; at < 0x21000; at += PAGE)
        set_pte(at, at | PTE_P | PTE_W | PTE_U);
    flush();
    report_later_pass("with paging");
    everything();
    many();
    out8(PIC1 + 1, 0xff);
}
