// What the hostile programs share: random numbers, tables, page tables, doors for every vector.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PAGE 4096u
#define MEMORY (16u << 20)

// Where things lie: below 1 MB the program, above it what the programs play with.
#define TABLES 0x80000u   // GDT at 0, IDT at 1000h, TSS at 2000h
#define DIRECTORY 0x100000u
#define PAGE_TABLES 0x101000u // 4 for 16 MB
#define ARENA 0x200000u       // random code and data up to the end of memory
#define ARENA_SIZE (8u << 20)
#define STACKS 0xb00000u

extern u32 seed;
static inline u32 chance(void) { // xorshift32
    seed ^= seed << 13;
    seed ^= seed >> 17;
    return seed ^= seed << 5;
}
static inline u32 below(u32 n) { return chance() % n; }

static inline void out8(u16 port, u8 v) { asm volatile("outb %0, %1" ::"a"(v), "Nd"(port)); }

#define GDT ((u64 *)TABLES)
#define IDT ((u64 *)(TABLES + 0x1000))
#define TSS ((u32 *)(TABLES + 0x2000))

u64 descriptor(u32 base, u32 limit, u32 access);
u64 gate(u16 selector, u32 offset, u32 access);
void load(const char *what, u32 base, u32 limit); // "gdt" or "idt"
// Flat segments of rings 0 and 3 (08h, 10h, 1Bh, 23h), a TSS (28h), doors that call `on_trap`.
void set_up(void);
// Maps the first 16 MB as they are, for every ring.
void set_up_paging(void);
void fill_with_chance(u32 at, u32 size);

// What a door saw. The handler may change it; it is returned to.
struct trap {
    u32 edi, esi, ebp, esp, ebx, edx, ecx, eax, vector, error, eip, cs, eflags, user_esp, user_ss;
};
extern void (*on_trap)(struct trap *trap);
// Goes to `code` at a ring, with a stack of its own.
__attribute__((noreturn)) void go(u32 ring, u32 code, u32 eflags);
// The end that is hoped for: HLT with interrupts off.
__attribute__((noreturn)) void finish(void);

// The programs.
void random_code(u32 ring, int paged);
void page_tables(int pae);
void tables_at_the_top(void);
void endless_faults(u32 way);
void interrupt_storm(u32 ring);
void timer_storm(void);
void port_storm(void);
void control_registers(void);
void task_storm(void);
void self_modifying(u32 ring);
