#include "descriptors.h"

#include "trap.h"

extern u8 doors[];
u64 gdt[GDT_ENTRIES] __attribute__((aligned(8)));
u64 idt[256] __attribute__((aligned(8)));
u64 ldt[LDT_ENTRIES] __attribute__((aligned(8)));
struct tss main_tss __attribute__((aligned(128)));
static u8 trap_stack[8192] __attribute__((aligned(16)));

u64 segment(u32 base, u32 limit, u32 access, u32 flags) {
    const u32 low = (limit & 0xffff) | base << 16;
    const u32 high = (base >> 16 & 0xff) | access << 8 | (limit & 0xf0000) | flags << 20 | (base & 0xff000000);
    return (u64)high << 32 | low;
}

u64 gate(u32 selector, u32 offset, u32 access, u32 parameters) {
    return (u64)((offset & 0xffff0000) | access << 8 | parameters) << 32 | (selector << 16 | (offset & 0xffff));
}

u32 door_of(u32 vector) { return (u32)doors + vector * 16; }

void reset_idt(void) {
    for (u32 v = 0; v < 256; v++) {
        const u32 dpl = v == 3 || v == 4 || v == DONE ? 3 : 0;
        idt[v] = gate(code_of(0), door_of(v), PRESENT | DPL(dpl) | TYPE_INTERRUPT_GATE, 0);
    }
    load_idt((u32)idt, sizeof idt - 1);
}

static void load_table(u32 base, u32 limit, int interrupt) {
    struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } t = {(u16)limit, base};
    if (interrupt)
        asm volatile("lidt %0" ::"m"(t) : "memory");
    else
        asm volatile("lgdt %0" ::"m"(t) : "memory");
}

void load_idt(u32 base, u32 limit) { load_table(base, limit, 1); }
void load_gdt(u32 base, u32 limit) { load_table(base, limit, 0); }

void reset_tables(void) {
    memset(gdt, 0, sizeof gdt);
    memset(ldt, 0, sizeof ldt);
    for (u32 ring = 0; ring < 4; ring++) {
        // Accessed from the start: the tests that look at the bit make segments of their own.
        gdt[code_of(ring) / 8] = segment(0, 0xfffff, PRESENT | DPL(ring) | TYPE_CODE | 1, GRANULAR | BIG);
        gdt[data_of(ring) / 8] = segment(0, 0xfffff, PRESENT | DPL(ring) | TYPE_DATA | 1, GRANULAR | BIG);
    }
    gdt[TSS_SELECTOR / 8] = segment((u32)&main_tss, sizeof main_tss - 1, PRESENT | TYPE_TSS, 0);
    gdt[LDT_SELECTOR / 8] = segment((u32)ldt, sizeof ldt - 1, PRESENT | TYPE_LDT, 0);
    memset(&main_tss, 0, sizeof main_tss);
    main_tss.esp0 = (u32)trap_stack + sizeof trap_stack;
    main_tss.ss0 = data_of(0);
    main_tss.esp1 = stack_top(1);
    main_tss.ss1 = data_of(1);
    main_tss.esp2 = stack_top(2);
    main_tss.ss2 = data_of(2);
    main_tss.io_map = sizeof main_tss;
    load_gdt((u32)gdt, sizeof gdt - 1);
    asm volatile("ljmp %0, $1f\n1: mov %1, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs" ::"i"(8),
                 "r"(data_of(0)));
    asm volatile("lldt %w0" ::"r"(LDT_SELECTOR));
    asm volatile("ltr %w0" ::"r"(TSS_SELECTOR));
    reset_idt();
}

void start_tables(void) {
    reset_tables();
    // No interrupt comes from outside unless a test wants it.
    out8(0x21, 0xff);
    out8(0xa1, 0xff);
}
