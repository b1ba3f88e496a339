/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note OR MIT */
/*
 * The interface between /dev/btvm and userland. It follows KVM's shape: a system descriptor makes VM descriptors, a VM
 * descriptor makes vCPU descriptors, and a page shared with each vCPU carries the reason of its last exit. docs/abi.md
 * tells each call's errors.
 *
 * Rules: fixed-width fields only, explicit padding, no pointers but user addresses in __u64. Padding and reserved
 * fields must be zero (EINVAL). Usable from C and C++.
 */
#ifndef BTVM_ABI_H
#define BTVM_ABI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Raised whenever a structure or the meaning of a call changes. A program refuses a module of another version. */
#define BTVM_API_VERSION 4

#define BTVM_IOC 0xB7

/* ---- /dev/btvm ---------------------------------------------------------------------------------------------- */

/* Returns BTVM_API_VERSION. */
#define BTVM_GET_API_VERSION _IO(BTVM_IOC, 0x00)
/* Argument: 0. Returns a VM descriptor. */
#define BTVM_CREATE_VM _IO(BTVM_IOC, 0x01)
/* Argument: BTVM_CAP_*. Returns 0 for no, a positive number for yes (or how many). */
#define BTVM_CHECK_EXTENSION _IO(BTVM_IOC, 0x03)
/* Returns the number of bytes to map from a vCPU descriptor at offset 0: struct btvm_run and its data. */
#define BTVM_GET_VCPU_MMAP_SIZE _IO(BTVM_IOC, 0x04)

#define BTVM_CAP_MEMORY_SLOTS 1      /* how many memory slots a VM has */
#define BTVM_CAP_DEBUG_BREAKPOINTS 2 /* how many debug registers the planner may use */
#define BTVM_CAP_MONITOR 3           /* traps can be handled in the guest world */
#define BTVM_CAP_VERIFY 4            /* traced code can be single-stepped and checked */
#define BTVM_CAP_MAX_GUEST_RAM 5     /* in MiB */
#define BTVM_CAP_EXECUTE_ONLY 6      /* BTVM_CONFIG_EXECUTE_ONLY: the processor has protection keys */
#define BTVM_CAP_DIRTY_LOG 7         /* BTVM_GET_DIRTY_LOG */

/* ---- VM descriptor ------------------------------------------------------------------------------------------ */

/* Argument: 0, the vCPU's number (one vCPU a VM). Returns a vCPU descriptor. Memory must be set before. */
#define BTVM_CREATE_VCPU _IO(BTVM_IOC, 0x41)

#define BTVM_MEM_READONLY (1u << 0) /* guest writes vanish: ROM */

/* A run of guest-physical memory backed by the caller's memory, which stays pinned while the VM lives. All addresses and
 * sizes are multiples of 4096. Slots must not overlap and cannot be changed once a vCPU exists. */
struct btvm_userspace_memory_region {
    __u32 slot;
    __u32 flags; /* BTVM_MEM_* */
    __u64 guest_phys_addr;
    __u64 memory_size;    /* bytes */
    __u64 userspace_addr; /* start of the memory in the caller's address space */
};
#define BTVM_SET_USER_MEMORY_REGION _IOW(BTVM_IOC, 0x46, struct btvm_userspace_memory_region)

/* Drives a line of the interrupt controller pair. */
struct btvm_irq_level {
    __u32 irq;   /* 0 to 15 */
    __u32 level; /* 0 or 1 */
};
#define BTVM_IRQ_LINE _IOW(BTVM_IOC, 0x61, struct btvm_irq_level)

#define BTVM_CONFIG_MONITOR_OFF (1u << 0)    /* handle every trap in the host world (for measurements) */
#define BTVM_CONFIG_VERIFY (1u << 1)         /* single-step traced code and check the invariants */
#define BTVM_CONFIG_PLAN_CACHE_OFF (1u << 2) /* plan afresh at every trap (for measurements) */
#define BTVM_CONFIG_TRACE (1u << 3)          /* keep the trace ring */
#define BTVM_CONFIG_INTERPRET (1u << 4)      /* never run guest code natively */
#define BTVM_CONFIG_LOOKAHEAD (1u << 5)      /* the look-ahead planner instead of the breadth-first one */
/* Shadow page tables at the guest's TLB flushes (for measurements): */
#define BTVM_CONFIG_TRACKING_OFF (1u << 6) /* drop all of them, instead of what was made from tables that changed */
#define BTVM_CONFIG_COMPARE_OFF (1u << 7) /* drop all of a directory that changed, instead of comparing its entries */
/* Trace by INT3 in execute-only copies of the guest's code instead of by debug registers. Needs BTVM_CAP_EXECUTE_ONLY, and
 * must be set when the vCPU is made. */
#define BTVM_CONFIG_EXECUTE_ONLY (1u << 8)
/* The machine has a local APIC and an I/O APIC. As it is when the vCPU is made, so it stays (EBUSY). */
#define BTVM_CONFIG_APIC (1u << 9)
/* Bytes written to port 80h, the POST codes, are told to userland, and not taken for the delays that they mostly are. */
#define BTVM_CONFIG_POST_PORT (1u << 10)
/* For tests of the checks themselves; need CAP_SYS_ADMIN. */
#define BTVM_CONFIG_TEST_PLANNER_BUG (1u << 16) /* one breakpoint of the plan, or in the copies, is left out */
#define BTVM_CONFIG_TEST_MONITOR_FAULT (1u << 17) /* the monitor faults at its next trap */

/* How a VM runs. May be set again at any time the vCPU is not in BTVM_RUN. */
struct btvm_config {
    __u32 flags;       /* BTVM_CONFIG_* */
    __u32 breakpoints; /* debug registers the planner may use, 1 to 4 */
    __u32 slowdown;    /* guest time passes so many times slower than the host's, 1 to BTVM_MAX_SLOWDOWN; 0 is 1 */
    __u32 padding;     /* 0 */
    __u64 reserved[3]; /* 0 */
};
#define BTVM_MAX_SLOWDOWN 1000
#define BTVM_SET_CONFIG _IOW(BTVM_IOC, 0x62, struct btvm_config)

/* Tells that the caller has written guest memory (DMA), so that whatever was decoded from it is dropped. */
struct btvm_memory_written {
    __u64 guest_phys_addr;
    __u64 size; /* bytes */
};
#define BTVM_MEMORY_WRITTEN _IOW(BTVM_IOC, 0x63, struct btvm_memory_written)

/* Which pages of a slot were written since the last call, or since the vCPU was made: by the guest, or as BTVM_MEMORY_WRITTEN
 * told. The call starts the log anew. */
struct btvm_dirty_log {
    __u32 slot;
    __u32 padding;      /* 0 */
    __u64 dirty_bitmap; /* user address of one bit a page, the first page in bit 0 of the first __u64; whole __u64s */
};
#define BTVM_GET_DIRTY_LOG _IOW(BTVM_IOC, 0x66, struct btvm_dirty_log)

/* Guest time in nanoseconds. It runs with CLOCK_MONOTONIC, divided by the slowdown, from where it was last set; 0 at
 * creation. */
struct btvm_clock {
    __u64 guest_ns;
    __u64 monotonic_ns; /* GET: CLOCK_MONOTONIC at the same moment. SET: must be 0. */
};
#define BTVM_GET_CLOCK _IOR(BTVM_IOC, 0x64, struct btvm_clock)
#define BTVM_SET_CLOCK _IOW(BTVM_IOC, 0x65, struct btvm_clock)

/* ---- vCPU descriptor ---------------------------------------------------------------------------------------- */

/* Runs the guest until an exit. Returns 0 with btvm_run.exit_reason set, or -1 with EINTR when a signal came in or
 * immediate_exit was set. */
#define BTVM_RUN _IO(BTVM_IOC, 0x80)

struct btvm_regs {
    __u64 gpr[16]; /* rax rcx rdx rbx rsp rbp rsi rdi r8..r15 */
    __u64 rip;
    __u64 rflags;
};
#define BTVM_GET_REGS _IOR(BTVM_IOC, 0x81, struct btvm_regs)
#define BTVM_SET_REGS _IOW(BTVM_IOC, 0x82, struct btvm_regs)

struct btvm_segment {
    __u64 base;
    __u32 limit; /* bytes: granularity applied */
    __u16 selector;
    __u16 access; /* as LAR shows it, shifted right by 8 */
};

struct btvm_dtable {
    __u64 base;
    __u16 limit;
    __u16 padding[3];
};

struct btvm_sregs {
    struct btvm_segment segment[6]; /* es cs ss ds fs gs */
    struct btvm_segment ldtr, tr;
    struct btvm_dtable gdtr, idtr;
    __u64 cr0, cr2, cr3, cr4;
    __u64 dr[8];
    __u64 efer;
    __u8 a20_enabled;
    __u8 activity; /* 0 running, 1 halted, 2 shutdown */
    __u8 interrupt_shadow;
    __u8 padding[5];
};
#define BTVM_GET_SREGS _IOR(BTVM_IOC, 0x83, struct btvm_sregs)
#define BTVM_SET_SREGS _IOW(BTVM_IOC, 0x84, struct btvm_sregs)

/* Puts the processor, the interrupt controllers and the timer into their state after RESET. */
#define BTVM_RESET _IO(BTVM_IOC, 0x85)
/* Raises a non-maskable interrupt. */
#define BTVM_NMI _IO(BTVM_IOC, 0x9a)
/* Argument: 0 forces guest address line 20 to 0, 1 lets it through. */
#define BTVM_SET_A20 _IO(BTVM_IOC, 0x9b)
/* Argument: the first of the four ports at which the guest reads the ACPI timer without an exit, 0: none. */
#define BTVM_SET_PM_TIMER _IO(BTVM_IOC, 0x9c)

/* One 8259A. Bit n is input n. */
struct btvm_pic_chip {
    __u8 irr, isr, imr;
    __u8 lines; /* the inputs' levels */
    __u8 elcr;
    __u8 vector_base; /* a multiple of 8 */
    __u8 icw1, icw3, icw4;
    __u8 next_icw; /* 2, 3 or 4 while initialisation waits for that word, else 0 */
    __u8 lowest;   /* the input with the lowest priority */
    __u8 special_mask, read_isr, poll, rotate_aeoi; /* 0 or 1 */
    __u8 padding;
};

/* One counter of the 8254. Times are in ticks of 1.193182 MHz of guest time. */
struct btvm_pit_channel {
    __u64 load_tick, held_elapsed, next_load;
    __u32 count, next_count; /* 1 to 65536; next_count is 0 unless next_waits */
    __u16 latched_count, count_before;
    __u8 run;  /* 0 stopped, 1 armed, 2 held, 3 running */
    __u8 mode; /* 0 to 5 */
    __u8 access; /* 1 to 3 */
    __u8 count_latched; /* bytes of latched_count still to read */
    __u8 latched_status;
    __u8 low_byte;
    __u8 next_waits, bcd, gate, out_before, rises_at_load, write_high, read_high, status_latched; /* 0 or 1 */
    __u8 padding[6];
};

/* The local APIC. Bit n of word m of the three sets is vector 32m + n. All 0 if the machine has none. */
struct btvm_local_apic {
    __u64 timer_start_ns; /* guest time at which the count was timer_initial */
    __u32 timer_initial;
    __u32 owed_ticks; /* of the timer, that wait for the guest: at most 128 */
    __u32 isr[8], tmr[8], irr[8];
    __u32 lvt[6]; /* timer, thermal sensor, performance counters, LINT0, LINT1, error */
    __u32 spurious;
    __u32 icr_low;
    __u8 icr_destination, id, task_priority, logical_id;
    __u8 destination_format; /* 0 to 15 */
    __u8 errors, new_errors; /* ESR as it reads, and what it will show after the next write */
    __u8 pins;               /* the levels of LINT0 and LINT1, bits 0 and 1 */
    __u8 external;           /* 0 or 1: an interrupt of the controller pair was asked for by message */
    __u8 timer_divide;
    __u8 timer_running; /* 0 or 1 */
    __u8 padding[5];
};

/* The I/O APIC. All 0 if the machine has none. */
struct btvm_io_apic {
    __u64 entry[24];
    __u32 lines;     /* the pins' levels */
    __u8 id, select; /* id: 0 to 15 */
    __u8 padding[2];
};

/* A port access on its way to userland and back: one that has been answered, while the instruction is still to be finished. */
struct btvm_port_access {
    __u8 phase; /* 0 none, 1 asked, 2 answered */
    __u8 write;
    __u8 size; /* of an element: 1, 2 or 4 bytes */
    __u8 padding1;
    __u16 port;
    __u16 padding2;
    __u32 count;
    __u32 padding3;
    __u8 data[3584]; /* count * size bytes, the others 0 */
};

/*
 * All that the processor, the interrupt controllers and the timer are, but for memory, guest time and configuration: what has
 * to be put into another vCPU so that it goes on as this one would have.
 */
struct btvm_state {
    struct btvm_regs regs;
    struct btvm_sregs sregs;
    __u64 sysenter_cs, sysenter_esp, sysenter_eip;
    __u64 pat, apic_base, misc_enable;
    __u64 pdpte[4]; /* the PAE page directory pointers, as CR3 was loaded */
    __u64 tsc;      /* what RDTSC gives now */
    __u32 features_basic, features_extended, mxcsr_mask; /* CPUID 1 EDX, 80000001h EDX, MXCSR's bits */
    __u8 nmi_blocked, nmi_pending; /* 0 or 1 */
    __u8 debug_pending;            /* DR6.B0-B3 of breakpoints that wait for the next instruction's end */
    __u8 padding1;
    __u8 fxsave[512];
    struct btvm_pic_chip pic[2]; /* master, slave */
    struct btvm_pit_channel pit[3];
    __u64 pit_last_tick, pit_edges_told;
    __u32 pit_edges_owed;
    __u8 pit_port61; /* bits 0 to 3 */
    __u8 ferr, ignne; /* 0 or 1: the coprocessor error logic */
    __u8 padding2;
    __u32 owed_ticks; /* timer interrupts that wait for the guest */
    __u16 pm_timer;   /* as BTVM_SET_PM_TIMER takes it */
    __u16 padding3;
    struct btvm_local_apic local_apic; /* with bit 9 of features_basic; as is apic_base */
    struct btvm_io_apic io_apic;
    struct btvm_port_access port;
};
#define BTVM_GET_STATE _IOR(BTVM_IOC, 0x86, struct btvm_state)
#define BTVM_SET_STATE _IOW(BTVM_IOC, 0x87, struct btvm_state)

/* Counters since the vCPU was made. A newer module appends; `size` tells how many bytes the caller has room for on the
 * way in and how many were filled on the way out. */
struct btvm_stats {
    __u32 size;
    __u32 padding;
    /* Traps out of natively running guest code, by cause. */
    __u64 trap_breakpoint; /* a planned breakpoint */
    __u64 trap_single_step;
    __u64 trap_privileged; /* an instruction that faults at ring 3 by itself */
    __u64 trap_page_fault;
    __u64 trap_exception; /* any other exception */
    __u64 trap_host_interrupt;
    __u64 trap_nmi;
    /* Where traps were handled. */
    __u64 handled_in_monitor;
    __u64 handled_in_host;
    /* World switches: each is one entry into the guest world and one way back, by what ended it. */
    __u64 world_switches;
    __u64 leave_host_interrupt;
    __u64 leave_userland_io;
    __u64 leave_mode_switch; /* the guest left traced code: real mode, or code that only the interpreter runs */
    __u64 leave_budget;      /* the monitor gave the host a chance to run */
    __u64 leave_other;
    /* Tracing. */
    __u64 traced_instructions; /* counted in verify mode only: single steps */
    __u64 emulated_instructions; /* sensitive or privileged, by one step of the interpreter in traced code */
    __u64 branches_resolved;     /* branches whose target one step of the interpreter found */
    __u64 plans_made;
    __u64 plan_cache_hits;
    __u64 plan_cache_flushes;
    __u64 instructions_decoded;
    __u64 decode_cache_hits;
    __u64 code_pages_dropped;
    /* The interpreter outside traced code. */
    __u64 interpreted_instructions;
    __u64 exceptions_delivered;
    __u64 interrupts_delivered;
    /* Memory. */
    __u64 hidden_page_faults;
    __u64 shadow_pages; /* in use now */
    /* Ports. */
    __u64 port_in_core;
    __u64 port_userland;
    __u64 halts;
    __u64 lost_timer_ticks;
    __u64 verify_steps;
    __u64 verify_violations;
    /* Shadow page tables, for guests with paging on. */
    __u64 true_page_faults; /* the guest's own, delivered to it; the others are hidden */
    __u64 tlb_flushes;      /* the guest's */
    __u64 changed_tables;   /* guest page-table pages written between two flushes */
    __u64 shadow_entries_kept; /* entries of changed tables that still held at the flush... */
    __u64 shadow_entries_dropped; /* ... and those that did not */
    __u64 shadow_pages_evicted;   /* taken from another use because the pool was used up */
    __u64 spaces_loaded;          /* changes of address space, or between its kernel and user side */
    __u64 shadow_pages_peak;      /* the most that were in use at once... */
    __u64 shadow_pages_limit;     /* ... and that can be */
    __u64 host_memory; /* bytes that the VM takes of the host's memory, beside its own; constant */
    /* Execute-only copies of guest code. */
    __u64 copies_made;
    __u64 copies_dropped;       /* because the code was written, or for lack of room */
    __u64 instructions_covered; /* put into copies, where they run natively */
    __u64 copy_data_accesses;   /* traps of data accesses to pages that are also executed */
    /* The processor's own TLB, beside what a world switch empties. */
    __u64 world_tlb_flushes; /* times that the monitor emptied it... */
    __u64 world_tlb_pages;   /* ... and pages that it dropped by name */
};
#define BTVM_GET_STATS _IOWR(BTVM_IOC, 0xa0, struct btvm_stats)

#define BTVM_TRACE_TRAP 1        /* a: vector, b: error code, c: DR6 or CR2 */
#define BTVM_TRACE_ENTER 2       /* into the guest world */
#define BTVM_TRACE_LEAVE 3       /* a: why */
#define BTVM_TRACE_PLAN 4        /* a: number of breakpoints, b, c: the first two (linear) */
#define BTVM_TRACE_EMULATE 5 /* one step of the interpreter in traced code, a: how it ended, b: the next rip */
#define BTVM_TRACE_EXIT 6        /* to userland, a: exit reason */
#define BTVM_TRACE_EVENT 7       /* delivered to the guest, a: vector, b: error code */
#define BTVM_TRACE_CODE_DROP 8   /* a: guest frame number */

struct btvm_trace_entry {
    __u64 sequence; /* counts from 1; 0: an empty place */
    __u64 tsc;
    __u32 kind; /* BTVM_TRACE_* */
    __u32 a;
    __u64 rip; /* linear */
    __u64 b;
    __u64 c;
};

/* Copies the newest `count` trace entries, oldest first, to `buffer`. On return `count` is how many there were. */
struct btvm_trace {
    __u64 buffer; /* user address of struct btvm_trace_entry[count] */
    __u32 count;
    __u32 padding;
};
#define BTVM_GET_TRACE _IOWR(BTVM_IOC, 0xa1, struct btvm_trace)

/* ---- the shared page ---------------------------------------------------------------------------------------- */

#define BTVM_EXIT_UNKNOWN 0
#define BTVM_EXIT_IO 2
#define BTVM_EXIT_HALTED 5    /* HLT with interrupts off: nothing but NMI or reset can wake the guest */
#define BTVM_EXIT_SHUTDOWN 8  /* triple fault */
#define BTVM_EXIT_DEADLINE 11 /* guest time has reached btvm_run.deadline_ns */
#define BTVM_EXIT_INTERNAL_ERROR 17

#define BTVM_EXIT_IO_IN 0
#define BTVM_EXIT_IO_OUT 1

#define BTVM_ERROR_MONITOR_FAULT 1 /* the monitor itself faulted: vector, error_code, rip, cr2 are the monitor's */
#define BTVM_ERROR_VERIFY 2        /* verify mode found I1 or I2 broken at rip */

struct btvm_run {
    /* in */
    __u8 immediate_exit; /* BTVM_RUN returns EINTR at once */
    __u8 padding1[7];
    __u64 deadline_ns; /* guest time at which to exit with BTVM_EXIT_DEADLINE; ~0: never */

    /* out */
    __u32 exit_reason; /* BTVM_EXIT_* */
    __u32 padding2;
    __u64 guest_ns; /* guest time of the exit */

    union {
        /* BTVM_EXIT_IO: count * size bytes are at data_offset. For IN, put the answer there before the next BTVM_RUN. */
        struct {
            __u8 direction; /* BTVM_EXIT_IO_IN, BTVM_EXIT_IO_OUT */
            __u8 size;      /* 1, 2 or 4 bytes */
            __u16 port;
            __u32 count;       /* accesses of that size, one after the other: above 1 for REP INS and REP OUTS */
            __u64 data_offset; /* from the start of this structure */
        } io;
        /* BTVM_EXIT_INTERNAL_ERROR */
        struct {
            __u32 suberror; /* BTVM_ERROR_* */
            __u32 vector;
            __u64 error_code;
            __u64 rip;
            __u64 cr2;
            __u64 gpr[16];
            char text[96]; /* zero-terminated, one line for a human */
        } internal;
        char padding3[480];
    };
};

#endif
