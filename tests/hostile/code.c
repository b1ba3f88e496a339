// Programs that execute what nobody wrote.
#include "guest.h"

static u32 rounds, ring_of_code;

// Whatever it was: on somewhere else in the arena.
static void elsewhere(struct trap *trap) {
    if (!rounds--) finish();
    trap->eip = ARENA + below(ARENA_SIZE - 64);
    trap->cs = ring_of_code ? 0x1b : 8;
    trap->eflags = 2 | (chance() & (ring_of_code ? 0x247ed5 : 0xcd5));
    trap->eax = chance();
    trap->ecx = below(4096);
    trap->edx = chance();
    trap->ebx = ARENA + below(ARENA_SIZE);
    trap->ebp = chance();
    trap->esi = ARENA + below(ARENA_SIZE);
    trap->edi = chance() & 1 ? ARENA + below(ARENA_SIZE) : chance();
    if (ring_of_code) {
        trap->user_esp = STACKS + 0x20000;
        trap->user_ss = 0x23;
    }
}

void random_code(u32 ring, int paged) {
    fill_with_chance(ARENA, ARENA_SIZE);
    // At ring 3 the program's own memory is read-only to it: it lives long, and faults often.
    if (paged) set_up_paging();
    if (paged && ring)
        for (u32 i = 0; i < ARENA / PAGE; i++)
            ((u32 *)PAGE_TABLES)[i] &= ~6u;
    ring_of_code = ring;
    rounds = 20000;
    on_trap = elsewhere;
    go(ring, ARENA, 0);
}

static void to_the_start(struct trap *trap) {
    if (!rounds--) finish();
    trap->eip = ARENA;
    trap->cs = ring_of_code ? 0x1b : 8;
}

// Code that rewrites what it is about to execute, by plain stores and by REP STOS through itself.
void self_modifying(u32 ring) {
    static const u8 piece[] = {
        0xbf, 0x00, 0x00, 0x20, 0x00,             // mov edi, ARENA
        0x81, 0xc7, 0x40, 0x00, 0x00, 0x00,       // add edi, 40h
        0x69, 0xc0, 0x0d, 0x66, 0x19, 0x00,       // imul eax, eax, 19660Dh
        0x05, 0x5f, 0xf3, 0x6e, 0x3c,             // add eax, 3C6EF35Fh
        0xb9, 0x20, 0x00, 0x00, 0x00,             // mov ecx, 20h
        0xf3, 0xab,                               // rep stosd: random code right behind
        0x88, 0x25, 0x13, 0x00, 0x20, 0x00,       // mov [ARENA + 13h], ah: the constant above
    };
    for (u32 i = 0; i < sizeof piece; i++)
        ((volatile u8 *)ARENA)[i] = piece[i];
    set_up_paging();
    ring_of_code = ring;
    rounds = 20000;
    on_trap = to_the_start;
    go(ring, ARENA, 0);
}

// 64 KB of INT instructions, every vector, all doors open.
static void count(struct trap *trap) {
    (void)trap;
    if (!rounds--) finish();
}

void interrupt_storm(u32 ring) {
    for (u32 i = 0; i < 0x10000; i += 2)
        *(volatile u16 *)(ARENA + i) = 0x00cd | (i >> 1 & 0xff) << 8;
    *(volatile u16 *)(ARENA + 0x10000) = 0xfeeb; // jmp to itself
    set_up_paging();
    rounds = 0x8000 - 1;
    on_trap = count;
    go(ring, ARENA, 0);
}
