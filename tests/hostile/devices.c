// Programs that let no device and no control register in peace.
#include "guest.h"

static u32 rounds;

static void skip(struct trap *trap) {
    if (!rounds--) finish();
    if (trap->vector >= 0x20) {
        out8(0xa0, 0x20);
        out8(0x20, 0x20);
    } else
        trap->eip += 3;
}

// The timer as fast as it goes, interrupts on, a handler that is never done.
static void again(struct trap *trap) {
    (void)trap;
    out8(0x20, 0x20);
    asm volatile("sti; nop; nop; cli");
    if (!rounds--) finish();
}

void timer_storm(void) {
    static const u8 setup[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4},    {0x21, 1},   {0xa0, 0x11}, {0xa1, 0x28},
                                  {0xa1, 2},    {0xa1, 1},    {0x21, 0xfe}, {0xa1, 0xff}, {0x43, 0x34}, {0x40, 2},
                                  {0x40, 0}};
    for (u32 i = 0; i < COUNT(setup); i++)
        out8(setup[i][0], setup[i][1]);
    rounds = 20000;
    on_trap = again;
    set_up_paging();
    *(volatile u16 *)ARENA = 0xfeeb;
    go(3, ARENA, 0x200);
}

// Every port, every width, any value. The controller's reset lines are left alone: the machine should live.
void port_storm(void) {
    on_trap = skip;
    rounds = 10000;
    for (u32 i = 0; i < 20000; i++) {
        const u16 port = (u16)(below(4) ? below(0x400) : chance());
        if ((port & ~3u) == 0x60 || (port & ~3u) == 0x64 || (port & ~3u) == 0x90 || (port & ~7u) == 0xcf8) continue;
        u32 v = chance();
        switch (below(6)) {
        case 0: asm volatile("inb %1, %b0" : "+a"(v) : "d"(port)); break;
        case 1: asm volatile("inw %1, %w0" : "+a"(v) : "d"(port)); break;
        case 2: asm volatile("inl %1, %0" : "+a"(v) : "d"(port)); break;
        case 3: asm volatile("outb %b0, %1" ::"a"(v), "d"(port)); break;
        case 4: asm volatile("outw %w0, %1" ::"a"(v), "d"(port)); break;
        default: asm volatile("outl %0, %1" ::"a"(v), "d"(port)); break;
        }
    }
}

// CR0, CR3, CR4, the debug registers and the MSRs at random: each instruction has three bytes or is made so.
void control_registers(void) {
    on_trap = skip;
    rounds = 100000;
    set_up_paging();
    for (u32 i = 0; i < 5000; i++) {
        const u32 v = chance();
        switch (below(8)) {
        case 0: asm volatile("mov %0, %%cr0" ::"r"((v & 0x6005003e) | 0x80000011)); break;
        case 1: asm volatile("mov %0, %%cr4" ::"r"(v & (below(4) ? 0x9f : 0xffffffdf) & ~0x20u)); break;
        case 2: asm volatile("mov %0, %%dr0" ::"r"(v)); break;
        case 3: asm volatile("mov %0, %%dr3" ::"r"(ARENA + below(64))); break;
        case 4: asm volatile("mov %0, %%dr7" ::"r"(v & 0xffff20ff)); break;
        case 5: asm volatile("mov %0, %%dr6" ::"r"(v)); break;
        case 6: asm volatile("wrmsr\nnop" ::"a"(v), "d"(chance()), "c"(below(2) ? below(0x300) : 0xc0000080 + below(8))); break;
        default: asm volatile("rdmsr\nnop" : "=a"((u32){0}), "=d"((u32){0}) : "c"(below(2) ? below(0x300) : v)); break;
        }
        if (!below(64)) asm volatile("mov %0, %%cr3" ::"r"(DIRECTORY | (v & 0x18)));
    }
    asm volatile("mov %0, %%cr3" ::"r"(chance()));
    finish();
}
