#include "trap.h"

#include "descriptors.h"
#include "report.h"

void enter_frame(const struct frame *frame);
__attribute__((noreturn)) void leave_frame(void);

int (*trap_hook)(struct frame *frame);
u32 trap_frame_top, trap_cr2;
static struct frame ended;
static int running;
// What a probe is entered from, with room below it: loading the segments may fault.
static struct {
    u8 room[1024];
    struct frame frame;
} entry;
static u8 stacks[4][STACK_SIZE] __attribute__((section(".user"), aligned(4096)));

u32 stack_top(u32 ring) { return (u32)(stacks[ring] + STACK_SIZE - 64); }

struct frame probe_state(u32 ring, const void *code) {
    struct frame f = {
        .edi = 0x77777777, .esi = 0x66666666, .ebp = 0x55555555, .ebx = 0x33333333, .edx = 0x22222222,
        .ecx = 0x11111111, .eax = 0, .gs = data_of(ring), .fs = data_of(ring), .es = data_of(ring),
        .ds = data_of(ring), .eip = (u32)code, .cs = code_of(ring), .eflags = 2,
        .esp = stack_top(ring), .ss = data_of(ring)};
    // As user code runs everywhere; the PIC lets nothing through.
    if (ring == 3) f.eflags |= FLAG_IF;
    return f;
}

static int pushed_stack(const struct frame *f) { return (f->cs & 3) || (f->eflags & FLAG_VM); }

struct frame run(const struct frame *start) {
    running = 1;
    if (pushed_stack(start)) {
        entry.frame = *start;
        enter_frame(&entry.frame);
    } else {
        // IRET within ring 0 takes three words: they and all the rest lie right below the stack the snippet gets.
        const u32 size = __builtin_offsetof(struct frame, esp);
        void *below = (void *)(start->esp - size);
        memcpy(below, start, size);
        enter_frame(below);
    }
    running = 0;
    return ended;
}

struct frame probe(u32 ring, const void *code) {
    struct frame f = probe_state(ring, code);
    return run(&f);
}

void trap_entered(struct frame *f, u32 ss) {
    trap_cr2 = read_cr2();
    if (!running)
        fatal("vector %u error %04x at %04x:%08x eflags %08x cr2 %08x", f->vector, f->error, f->cs, f->eip, f->eflags,
              trap_cr2);
    if (trap_hook && trap_hook(f)) return;
    const u32 size = f->eflags & FLAG_VM ? sizeof(*f)
                     : f->cs & 3         ? __builtin_offsetof(struct frame, v86_es)
                                         : __builtin_offsetof(struct frame, esp);
    memset(&ended, 0, sizeof ended);
    memcpy(&ended, f, size);
    trap_frame_top = (u32)f + size;
    if (!pushed_stack(f)) {
        ended.esp = trap_frame_top;
        ended.ss = ss & 0xffff;
    }
    leave_frame();
}

void print_end(const struct frame *end, const void *code, u32 stack) {
    if (end->vector == DONE)
        print(" done");
    else
        print(" #%u error %04x", end->vector, end->error);
    print(" eip %d cs %04x eflags %08x esp %d ss %04x", (int)(end->eip - (u32)code), end->cs, end->eflags & ~FLAG_RF,
          (int)(end->esp - stack), end->ss);
    if (end->vector == 14) print(" cr2 %08x", trap_cr2);
}

void report_end_of(const char *name, const struct frame *end, const void *code, u32 stack) {
    report_begin(name);
    print_end(end, code, stack);
    report_end();
}

struct frame report_probe(const char *name, u32 ring, const void *code) {
    struct frame end = probe(ring, code);
    report_end_of(name, &end, code, stack_top(ring));
    return end;
}
