// The descriptor tables, the task state segment, and how a test makes entries of its own.
#pragma once

#include "base.h"

// Access bytes (SDM Vol. 3A figure 3-8, table 3-2) without DPL; PRESENT is separate.
#define PRESENT 0x80u
#define DPL(n) ((n) << 5)
#define ACCESSED 0x01u
#define TYPE_DATA 0x12u
#define TYPE_DATA_READ_ONLY 0x10u
#define TYPE_EXPAND_DOWN 0x16u
#define TYPE_CODE 0x1au
#define TYPE_CODE_EXECUTE_ONLY 0x18u
#define TYPE_CONFORMING 0x1eu
#define TYPE_LDT 0x02u
#define TYPE_TSS 0x09u
#define TYPE_TSS_BUSY 0x0bu
#define TYPE_TSS16 0x01u
#define TYPE_CALL_GATE 0x0cu
#define TYPE_CALL_GATE16 0x04u
#define TYPE_TASK_GATE 0x05u
#define TYPE_INTERRUPT_GATE 0x0eu
#define TYPE_TRAP_GATE 0x0fu
#define TYPE_INTERRUPT_GATE16 0x06u
// Flags in the high half of byte 6.
#define GRANULAR 0x8u
#define BIG 0x4u

#define GDT_ENTRIES 64
extern u64 gdt[GDT_ENTRIES], idt[256];

#define LDT_SELECTOR 0x50u
#define TSS_SELECTOR 0x48u
// The GDT's entries from here are the tests' own, zero at the start of each group.
#define SCRATCH_FIRST 16u
#define SCRATCH(i) ((SCRATCH_FIRST + (i)) * 8)
// As SCRATCH, in the LDT.
#define LDT_ENTRIES 16
#define LOCAL(i) ((i) * 8u | 4)
extern u64 ldt[LDT_ENTRIES];

static inline u32 code_of(u32 ring) { return (8 + ring * 16) | ring; }
static inline u32 data_of(u32 ring) { return (16 + ring * 16) | ring; }

// The 32-bit task state segment (SDM Vol. 3A figure 7-2).
struct tss {
    u32 link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    u32 eax, ecx, edx, ebx, esp, ebp, esi, edi;
    u32 es, cs, ss, ds, fs, gs, ldt;
    u16 trap, io_map;
};
extern struct tss main_tss;

u64 segment(u32 base, u32 limit, u32 access, u32 flags);
u64 gate(u32 selector, u32 offset, u32 access, u32 parameters);

// The doors of start.S, as interrupt gates; vectors 3, 4 and DONE may be called by ring 3.
void reset_idt(void);
// The door of a vector.
u32 door_of(u32 vector);
// Clears the tests' entries of GDT and LDT, loads everything anew.
void reset_tables(void);
void load_idt(u32 base, u32 limit);
void load_gdt(u32 base, u32 limit);
void start_tables(void);
