/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The switch context: the block that both worlds see at the same address. It holds what the host gets back, the guest
 * world's TSS and IDT, and the stacks of ring 0 there. Its size and alignment are equal, so ring-0 code in the guest world
 * finds it from its stack pointer alone.
 *
 * The guest world has two pairs of descriptor tables. The first, "world" in the names, has fixed selectors of ours: it is
 * used while the worlds are switched and while guest kernel code runs at ring 3. The second, "user", is for guest code that
 * is at ring 3 by its own belief: it loads and reads selectors natively, so GDT and LDT hold copies of its own
 * descriptors, at its own indices. Both IDTs lead to the same code by different selectors of the same ring-0 segment;
 * the first GDT knows both, so the pairs are changed without a moment at which an NMI finds no code segment.
 *
 * Read by C (kmod), C++ (monitor) and, through the generated kmod/asm-offsets.h, by the assembly in kmod/switch.S.
 */
#ifndef BTVM_SWITCH_CONTEXT_H
#define BTVM_SWITCH_CONTEXT_H

#define BTVM_CONTEXT_SIZE 32768
#define BTVM_CONTEXT_ORDER 3

/*
 * Selectors of the guest world's GDT. Kernel code and stack have the numbers that Linux gives them, so that CS and SS stay
 * valid across the switch; the host's TSS is copied to the host's own selector on the way back. The last descriptor of a
 * table of 64 KiB is ring 0's code segment in the user GDT, and the same in this one.
 */
#define BTVM_SEL_KERNEL_CS 0x10
#define BTVM_SEL_KERNEL_DS 0x18
#define BTVM_SEL_GUEST_CS (0x20 | 3)
#define BTVM_SEL_GUEST_SS (0x28 | 3)
#define BTVM_SEL_GUEST_DS (0x30 | 3)
#define BTVM_SEL_GUEST_ES (0x38 | 3)
#define BTVM_SEL_TSS 0x50
#define BTVM_SEL_GUEST_FS (0x60 | 3)
#define BTVM_SEL_GUEST_GS (0x68 | 3)
#define BTVM_SEL_USER_LDT 0x70
#define BTVM_SEL_LAST_CS 0xfff8
#define BTVM_GDT_ENTRIES 8192

/* Interrupt-stack-table slots, the same as Linux's: an NMI may hit while the host's TSS is still loaded. */
#define BTVM_IST_DOUBLE_FAULT 1
#define BTVM_IST_NMI 2
#define BTVM_IST_MACHINE_CHECK 4

/* The guest world's addresses, as offsets from the monitor's base (a per-world value). */
#define BTVM_DEFAULT_MONITOR_BASE 0xffffff8000000000
#define BTVM_AT_MONITOR 0x00000000
#define BTVM_AT_USER_TABLES 0x00800000          /* read-only: where the processor sees them */
#define BTVM_AT_USER_TABLES_WRITABLE 0x00900000 /* where the monitor writes them */
#define BTVM_AT_WORLD 0x01000000
#define BTVM_AT_ARRAYS 0x04000000
#define BTVM_AT_SHADOW 0x08000000
#define BTVM_AT_COPIES 0x40000000
#define BTVM_AT_WINDOW 0x100000000

/* OSFXSR and OSXMMEXCPT: without them user code must get #UD, since its kernel saves no SSE registers. */
#define BTVM_CR4_GUEST 0x600

/*
 * PKRU in the guest world when code runs in execute-only copies: no data access with any key but 0. The copies have key 1
 * (vmm/mmu/shadow_view.hh). It is what Linux gives every process, so that writing it is seldom needed.
 */
#define BTVM_PKRU 0x55555554

/* What the monitor tells the entry code. */
#define BTVM_MONITOR_RESUME 0
#define BTVM_MONITOR_LEAVE 1

/* Why the guest world was left, besides what the frame's vector says. */
#define BTVM_LEAVE_TRAP 0          /* the trap in the frame is not handled yet */
#define BTVM_LEAVE_MONITOR 1       /* the monitor handled it and wants the host world: see the world's state */
#define BTVM_LEAVE_NMI_PENDING 2   /* handled; an NMI or #MC came in at ring 0 */
#define BTVM_LEAVE_MONITOR_FAULT 3 /* the monitor faulted: fault_frame */

#ifndef __ASSEMBLY__

typedef __UINT8_TYPE__ btvm_u8;
typedef __UINT16_TYPE__ btvm_u16;
typedef __UINT32_TYPE__ btvm_u32;
typedef __UINT64_TYPE__ btvm_u64;

/* The registers of the guest at a trap; also what an entry loads. gpr[] is in encoding order, gpr[4] unused. */
struct btvm_trap_frame {
	btvm_u64 gpr[16];
	btvm_u64 vector;
	btvm_u64 error;
	btvm_u64 rip;
	btvm_u64 cs;
	btvm_u64 rflags;
	btvm_u64 rsp;
	btvm_u64 ss;
};

struct btvm_table_image {
	btvm_u8 bytes[16]; /* limit (2) and base (8), as SGDT stores them */
};

/*
 * The descriptors that guest user code may use. They are read-only where the processor sees them, so that a segment whose
 * accessed bit is clear faults when it is loaded: the guest's own table must get the bit.
 */
struct btvm_user_tables {
	btvm_u64 gdt[BTVM_GDT_ENTRIES];
	btvm_u64 ldt[BTVM_GDT_ENTRIES];
	btvm_u64 idt[512];
};

struct btvm_switch_context {
	/* The host, saved at entry. */
	btvm_u64 host_rsp;
	btvm_u64 host_cr0, host_cr3, host_cr4;
	struct btvm_table_image host_gdtr, host_idtr;
	btvm_u16 host_ldt, host_tr, host_ds, host_es, host_fs, host_gs, padding0[2];
	btvm_u64 host_fs_base, host_gs_base, host_efer, host_sysenter_cs;
	btvm_u64 host_dr0, host_dr1, host_dr2, host_dr3, host_dr6, host_dr7;

	/* The guest world, loaded at entry. */
	btvm_u64 world_cr0, world_cr3, world_cr4;
	struct btvm_table_image world_gdtr, world_idtr;
	struct btvm_table_image user_gdtr, user_idtr;
	btvm_u64 user_tables;               /* 1: the user pair is in force, or shall be when the frame is loaded */
	btvm_u64 dr[4], dr7;                /* as the debug registers hold them: a plan, or breakpoints of the guest */
	btvm_u16 ds, es, fs, gs;            /* what these registers hold at ring 3 */
	btvm_u16 writable_selector, padding1[3]; /* BTVM_SEL_KERNEL_DS, for VERW */
	/* Descriptors to load DS, ES, FS and GS with at entry in place of those in the user tables; 0: those. */
	btvm_u64 hidden_part[4];
	btvm_u64 user_tables_writable;      /* the guest world's address of struct btvm_user_tables for that */
	btvm_u64 guest_cr4;                 /* the bits of the guest's CR4 that are in force: BTVM_CR4_GUEST */

	/* What ring 0 there needs. */
	btvm_u64 monitor_entry;    /* called at each trap; 0: every trap leaves (monitor=off) */
	btvm_u64 monitor_argument; /* the world's state, at its guest-world address */
	btvm_u64 pending;          /* bit 0: NMI, bit 1: #MC seen at ring 0, for the host to raise again */
	btvm_u64 trap_cr2, trap_dr6;
	btvm_u64 late_dr6; /* of breakpoints that trapped at ring 0, when they were held back so long; 0: none */
	btvm_u64 leave_reason; /* BTVM_LEAVE_* */
	struct btvm_trap_frame fault_frame; /* BTVM_LEAVE_MONITOR_FAULT: where ring 0 was */
	btvm_u64 fault_cr2;
	btvm_u64 monitor_instructions; /* spare counter for measurements */

	btvm_u64 *world_gdt; /* BTVM_GDT_ENTRIES, at the same address in both worlds too */
	btvm_u8 world_tss[104] __attribute__((aligned(64)));
	btvm_u64 world_idt[512] __attribute__((aligned(4096)));
	btvm_u8 fault_stack[4096];
	btvm_u8 nmi_stack[4096];
	btvm_u8 stack[BTVM_CONTEXT_SIZE - 4 * 4096 - sizeof(struct btvm_trap_frame)];
	struct btvm_trap_frame frame; /* the top of the ring-0 stack: where the processor and the stubs put it */
} __attribute__((aligned(4096)));

#ifdef __cplusplus
static_assert(sizeof(btvm_switch_context) == BTVM_CONTEXT_SIZE, "the context is found by masking the stack pointer");
static_assert(sizeof(btvm_trap_frame) == 23 * 8, "pushed by switch.S");
#else
_Static_assert(sizeof(struct btvm_switch_context) == BTVM_CONTEXT_SIZE,
	       "the context is found by masking the stack pointer");
_Static_assert(sizeof(struct btvm_trap_frame) == 23 * 8, "pushed by switch.S");
#endif

#endif /* __ASSEMBLY__ */

#endif
