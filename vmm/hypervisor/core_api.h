/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The core as C sees it: what the module's Linux glue (kmod/) calls, and the two functions that it gives the
 * core. All calls for one world are made by one thread at a time.
 */
#ifndef BTVM_CORE_API_H
#define BTVM_CORE_API_H

#include "../../monitor/switch_context.h"

#ifdef __cplusplus
extern "C" {
#endif

struct btvm_config;
struct btvm_regs;
struct btvm_sregs;
struct btvm_state;
struct btvm_stats;
struct btvm_trace_entry;
struct btvm_run;

/* An opaque block of plain memory, mapped in both worlds. */
struct btvm_world;

/* One memory slot, as both worlds see it. */
struct btvm_core_slot {
    btvm_u64 guest_physical, size;
    btvm_u64 host_memory, monitor_memory; /* addresses */
    btvm_u64 host_state, monitor_state;   /* one byte a page */
    btvm_u64 host_frames, monitor_frames; /* one u64 a page */
    btvm_u64 host_mappings, monitor_mappings; /* one u32 a page, zeroes */
    btvm_u32 read_only, padding;
};

/* Where the world's other parts are, as both worlds see them. */
struct btvm_core_layout {
    btvm_u64 host_shadow, monitor_shadow;               /* the shadow pool */
    btvm_u64 host_shadow_frames, monitor_shadow_frames; /* its host frames, one u64 a page */
    btvm_u64 host_shadow_notes, monitor_shadow_notes;   /* btvm_core_shadow_notes_size() bytes, zeroes */
    btvm_u64 host_context, monitor_context;
    btvm_u64 host_user_tables, monitor_user_tables; /* writable, zeroes but for the IDT */
    /* Execute-only copies of guest code, all 0 if there shall be none. */
    btvm_u64 host_copies, monitor_copies;
    btvm_u64 host_copy_frames, monitor_copy_frames; /* one u64 a page */
    btvm_u64 host_copy_notes, monitor_copy_notes;   /* btvm_core_copy_notes_size() bytes, zeroes */
    btvm_u32 shadow_pages;
    btvm_u32 slot_count;
    btvm_u32 lax_segments; /* the processor does not check segments in full */
    btvm_u32 cpuid_basic, cpuid_extended; /* EDX of its CPUID leaves 1 and 80000001h */
    btvm_u32 mxcsr_mask;                  /* the bits its MXCSR has */
    btvm_u32 copy_pages;
    const struct btvm_core_slot* slots;
};

/* How many bytes the notes about a shadow pool of so many pages take. */
btvm_u64 btvm_core_shadow_notes_size(btvm_u32 pages);
/* The same for execute-only copies, and how many there should be for a guest with so much RAM. */
btvm_u64 btvm_core_copy_notes_size(btvm_u32 pages);
btvm_u32 btvm_core_copies_for(btvm_u64 ram_pages);
/* How many bytes a world needs; page aligned memory. */
btvm_u64 btvm_core_world_size(void);
void btvm_core_initialise(struct btvm_world* world, const struct btvm_core_layout* layout);
void btvm_core_reset(struct btvm_world* world);

void btvm_core_set_config(struct btvm_world* world, const struct btvm_config* config);
void btvm_core_set_irq(struct btvm_world* world, btvm_u32 line, btvm_u32 level);
void btvm_core_set_nmi(struct btvm_world* world);
void btvm_core_set_a20(struct btvm_world* world, int enabled);
/* The first port of the ACPI timer, 0: none. 0, or -1 if there is no room for it. */
int btvm_core_set_pm_timer(struct btvm_world* world, btvm_u64 port);
void btvm_core_memory_written(struct btvm_world* world, btvm_u64 guest_physical, btvm_u64 size);
/*
 * Which pages of the slot that begins at guest_physical were written since the last call, by the guest or as
 * btvm_core_memory_written says: bit n of `bitmap`, 64 a word, is page n. Writes to them are noted anew.
 */
void btvm_core_take_dirty(struct btvm_world* world, btvm_u64 guest_physical, btvm_u64* bitmap);

void btvm_core_get_regs(const struct btvm_world* world, struct btvm_regs* regs);
void btvm_core_set_regs(struct btvm_world* world, const struct btvm_regs* regs);
void btvm_core_get_sregs(const struct btvm_world* world, struct btvm_sregs* sregs);
/* 0, or -1 if they describe no state a processor can be in. */
int btvm_core_set_sregs(struct btvm_world* world, const struct btvm_sregs* sregs);
/* A port access that is asked for must have been answered. */
void btvm_core_get_state(const struct btvm_world* world, struct btvm_state* state);
/* 0, or -1 if it is none that a machine can be in, or asks for features that this one lacks: nothing has changed then. */
int btvm_core_set_state(struct btvm_world* world, const struct btvm_state* state);
void btvm_core_get_stats(const struct btvm_world* world, struct btvm_stats* stats);
/* Copies up to `count` newest entries, oldest first; returns how many. */
btvm_u32 btvm_core_get_trace(const struct btvm_world* world, struct btvm_trace_entry* entries,
                             btvm_u32 count);

/* What the host does next. */
#define BTVM_TURN_ENTER 0 /* enter the guest world (interrupts off, then btvm_core_left) */
#define BTVM_TURN_AGAIN 1 /* let the host breathe, then take another turn */
#define BTVM_TURN_HALT 2  /* sleep until guest time next_event_ns, an interrupt line or NMI */
#define BTVM_TURN_EXIT 3  /* to userland: btvm_run is filled in */

struct btvm_core_turn {
    btvm_u64 tsc, guest_ns; /* in: the same moment */
    btvm_u64 ns_per_tsc_32; /* in: nanoseconds a TSC tick, times 2^32 */
    btvm_u64 next_event_ns; /* out: guest time of the timer's next interrupt, ~0: none */
    btvm_u32 fpu;           /* out, with ENTER: the guest's FPU registers must be loaded */
    btvm_u32 padding;
};

/* Takes one turn of the host world: interprets for a while, or prepares native execution. */
int btvm_core_take_turn(struct btvm_world* world, struct btvm_core_turn* turn, struct btvm_run* run);
/*
 * Userland has answered the port access it was asked for (the exit before was BTVM_EXIT_IO). `data` is what follows
 * btvm_run in its page: for reads, as many bytes as were asked for are taken, whatever userland has put into btvm_run
 * meanwhile.
 */
void btvm_core_answer_io(struct btvm_world* world, const void* data);
/* The guest world was entered and left; interrupts of the host are served. `context` tells why. */
void btvm_core_left(struct btvm_world* world);
/* The guest's FXSAVE image, 16-byte aligned. */
void* btvm_core_fpu(struct btvm_world* world);

/* What the core needs of the host kernel. */
void btvm_host_fpu_begin(void);
void btvm_host_fpu_end(void);

#ifdef __cplusplus
}
#endif

#endif
