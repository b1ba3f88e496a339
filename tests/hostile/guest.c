#include "guest.h"

extern u8 doors[];
u32 seed;
void (*on_trap)(struct trap *trap);
__attribute__((noreturn)) void go_frame(const u32 *frame);

u64 descriptor(u32 base, u32 limit, u32 access) {
    return (u64)((base >> 16 & 0xff) | (access & 0xff) << 8 | (limit & 0xf0000) | (access & 0xf00) << 12 |
                 (base & 0xff000000))
               << 32 |
           (limit & 0xffff) | base << 16;
}

u64 gate(u16 selector, u32 offset, u32 access) {
    return (u64)((offset & 0xffff0000) | access << 8) << 32 | (u32)selector << 16 | (offset & 0xffff);
}

void load(const char *what, u32 base, u32 limit) {
    struct __attribute__((packed)) {
        u16 limit;
        u32 base;
    } pointer = {(u16)limit, base};
    if (what[0] == 'g')
        asm volatile("lgdt %0" ::"m"(pointer));
    else
        asm volatile("lidt %0" ::"m"(pointer));
}

void set_up(void) {
    GDT[0] = 0;
    GDT[1] = descriptor(0, 0xfffff, 0xc9a);
    GDT[2] = descriptor(0, 0xfffff, 0xc92);
    GDT[3] = descriptor(0, 0xfffff, 0xcfa);
    GDT[4] = descriptor(0, 0xfffff, 0xcf2);
    GDT[5] = descriptor((u32)TSS, 0x67, 0x89);
    for (u32 i = 0; i < 26; i++)
        TSS[i] = 0;
    TSS[1] = STACKS + 0x10000;
    TSS[2] = 0x10;
    TSS[25] = 0x68u << 16;
    for (u32 v = 0; v < 256; v++)
        IDT[v] = gate(8, (u32)doors + 16 * v, 0xee);
    load("gdt", (u32)GDT, 0x7f);
    load("idt", (u32)IDT, 0x7ff);
    asm volatile("ljmp $8, $1f\n1: mov %0, %%ss; mov %0, %%ds; mov %0, %%es; mov %0, %%fs; mov %0, %%gs" ::"r"(0x10));
    asm volatile("ltr %w0" ::"r"(0x28));
}

void set_up_paging(void) {
    u32 *const directory = (u32 *)DIRECTORY, *const table = (u32 *)PAGE_TABLES;
    for (u32 i = 0; i < 1024; i++)
        directory[i] = i < 4 ? (PAGE_TABLES + i * PAGE) | 7 : 0;
    for (u32 i = 0; i < MEMORY / PAGE; i++)
        table[i] = i * PAGE | 7;
    asm volatile("mov %0, %%cr3\nmov %%cr0, %%eax\nor $0x80000000, %%eax\nmov %%eax, %%cr0" ::"r"(DIRECTORY) : "eax", "memory");
}

void fill_with_chance(u32 at, u32 size) {
    for (u32 i = 0; i < size; i += 4)
        *(volatile u32 *)(at + i) = chance();
}

void go(u32 ring, u32 code, u32 eflags) {
    // At ring 0 this is the stack that goes on being used.
    u32 *const frame = (u32 *)(STACKS + 0x30000);
    frame[0] = code;
    frame[1] = ring ? 0x1b : 8;
    frame[2] = eflags | 2;
    frame[3] = STACKS + 0x20000;
    frame[4] = 0x23;
    go_frame(frame);
}

void finish(void) {
    for (;;)
        asm volatile("cli; hlt");
}

void guest_main(u32 kind, u32 start) {
    seed = start * 2654435761u | 1;
    out8(0x3f8, 'H'); // to whoever waits for it at COM1
    set_up();
    switch (kind) {
    case 0: random_code(0, 0); break;
    case 1: random_code(0, 1); break;
    case 2: random_code(3, 0); break;
    case 3: random_code(3, 1); break;
    case 4: page_tables(0); break;
    case 5: page_tables(1); break;
    case 6: tables_at_the_top(); break;
    case 7: endless_faults(0); break;
    case 8: endless_faults(1); break;
    case 9: endless_faults(2); break;
    case 10: interrupt_storm(0); break;
    case 11: interrupt_storm(3); break;
    case 12: timer_storm(); break;
    case 13: port_storm(); break;
    case 14: control_registers(); break;
    case 15: task_storm(); break;
    case 16: self_modifying(0); break;
    case 17: self_modifying(3); break;
    }
    finish();
}
