// Probes: a snippet is run in a chosen state at a chosen ring, and how it ended is looked at.
#pragma once

#include "base.h"

// The machine as it enters a probe and as a trap finds it: start.S builds it on the stack.
struct frame {
    u32 edi, esi, ebp, unused_esp, ebx, edx, ecx, eax;
    u32 gs, fs, es, ds;
    u32 vector, error;
    u32 eip, cs, eflags;
    u32 esp, ss;                         // only of an outer ring: see frame_esp()
    u32 v86_es, v86_ds, v86_fs, v86_gs; // only of v86
};

#define DONE 0x7f // the vector of STOP
#define STACK_SIZE 2048u

#define FLAG_CF 0x1u
#define FLAG_TF 0x100u
#define FLAG_IF 0x200u
#define FLAG_DF 0x400u
#define FLAG_IOPL(n) ((n) << 12)
#define FLAG_NT 0x4000u
#define FLAG_RF 0x10000u
#define FLAG_VM 0x20000u
#define FLAG_AC 0x40000u
#define FLAG_ID 0x200000u

// The stack of a ring: its end. A probe starts with it.
u32 stack_top(u32 ring);

// A state to start from: flat segments of the ring, its stack, all other registers with known values, interrupts enabled
// at ring 3 only.
struct frame probe_state(u32 ring, const void *code);
// Runs it until a trap that no hook takes. Returns how it ended; frame.esp and ss hold what they were at the trap,
// also where the processor has not pushed them.
struct frame run(const struct frame *start);
// probe_state and run in one.
struct frame probe(u32 ring, const void *code);

// Sees each trap before run() ends: returns whether the probe goes on, with the frame as it is then.
extern int (*trap_hook)(struct frame *frame);
// Where the trap's frame began (the SS:ESP it was pushed below), and CR2, of the last run().
extern u32 trap_frame_top, trap_cr2;

// The end of a probe as text: " #14 error 0007 eip +3 cs 001b eflags 00000202 esp +0 cr2 00400000"; RF is left out (group
// `resume` looks at it), EIP is relative to `code`, ESP to the stack it started with.
void print_end(const struct frame *end, const void *code, u32 stack);
// One line with the above.
void report_end_of(const char *name, const struct frame *end, const void *code, u32 stack);
// Runs the snippet at the ring and reports its end.
struct frame report_probe(const char *name, u32 ring, const void *code);
