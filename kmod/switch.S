/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch, and the first instructions of every trap in the guest world. These pages are mapped at the same
 * address in both worlds, and so is the switch context (see monitor/switch_context.h).
 *
 * The rule of NMIs: `lidt` of the guest world is the first change on the way in and `lidt` of the host the last on the
 * way out. In between an NMI finds the guest world's handler, on a stack that is mapped whatever CR3 holds: the host's NMI
 * stack while the host's TSS and CR3 are loaded, ours once both are ours (SDM Vol. 3A 6.7, 6.14.5).
 */
#include <linux/linkage.h>
#include <linux/objtool.h>
#include <linux/version.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>
#include "../monitor/switch_context.h"
#include "asm-offsets.h"

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#define UNWIND_HINT_END_OF_STACK UNWIND_HINT_EMPTY
#endif

	.section .text.btvm_switch, "ax"
	.balign 4096
SYM_CODE_START(btvm_switch_start)
	ANNOTATE_NOENDBR
	int3
SYM_CODE_END(btvm_switch_start)

/*
 * void btvm_world_switch(struct btvm_switch_context *context)
 *
 * Enters the guest world with the registers in context->frame and comes back when it is left. Interrupts are off on
 * both sides. RDI holds the context throughout.
 */
	.balign 16
SYM_CODE_START(btvm_world_switch)
	UNWIND_HINT_END_OF_STACK
	push	%rbp
	push	%rbx
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, CTX_host_rsp(%rdi)
	mov	%cr3, %rax
	mov	%rax, CTX_host_cr3(%rdi)
	mov	%cr0, %rax
	mov	%rax, CTX_host_cr0(%rdi)
	mov	%cr4, %rax
	mov	%rax, CTX_host_cr4(%rdi)
	sgdt	CTX_host_gdtr(%rdi)
	sidt	CTX_host_idtr(%rdi)
	sldt	%ax
	mov	%ax, CTX_host_ldt(%rdi)
	str	%ax
	mov	%ax, CTX_host_tr(%rdi)
	mov	%ds, %eax
	mov	%ax, CTX_host_ds(%rdi)
	mov	%es, %eax
	mov	%ax, CTX_host_es(%rdi)
	mov	%fs, %eax
	mov	%ax, CTX_host_fs(%rdi)
	mov	%gs, %eax
	mov	%ax, CTX_host_gs(%rdi)
	.macro SAVE_MSR msr, field
	mov	$\msr, %ecx
	rdmsr
	mov	%eax, \field(%rdi)
	mov	%edx, \field + 4(%rdi)
	.endm
	SAVE_MSR 0xc0000100, CTX_host_fs_base
	SAVE_MSR 0xc0000101, CTX_host_gs_base
	SAVE_MSR 0xc0000080, CTX_host_efer
	SAVE_MSR 0x174, CTX_host_sysenter_cs
	.macro SAVE_DR register, field
	mov	\register, %rax
	mov	%rax, \field(%rdi)
	.endm
	SAVE_DR %dr0, CTX_host_dr0
	SAVE_DR %dr1, CTX_host_dr1
	SAVE_DR %dr2, CTX_host_dr2
	SAVE_DR %dr3, CTX_host_dr3
	SAVE_DR %dr6, CTX_host_dr6
	SAVE_DR %dr7, CTX_host_dr7

	/* Nothing of the host is changed so far. From here the guest world's IDT rules. */
SYM_INNER_LABEL(btvm_enter_window, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	lidt	CTX_world_idtr(%rdi)
	xor	%eax, %eax
	mov	%rax, %dr7
	/* SYSCALL must give #UD and SYSENTER #GP there: both would arrive at ring 0 on the guest's stack. */
	mov	$0xc0000080, %ecx
	mov	CTX_host_efer(%rdi), %eax
	mov	CTX_host_efer + 4(%rdi), %edx
	and	$~1, %eax
	wrmsr
	mov	$0x174, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	wrmsr
	/*
	 * For the way back: the host's TSS descriptor, not busy, at the host's selector of our GDT. The host's GDT is
	 * read-only and is never written.
	 */
	mov	CTX_host_gdtr + 2(%rdi), %rsi
	movzwl	CTX_host_tr(%rdi), %eax
	mov	(%rsi, %rax), %rdx
	mov	8(%rsi, %rax), %rcx
	btr	$41, %rdx
	mov	CTX_world_gdt(%rdi), %r8
	mov	%rdx, (%r8, %rax)
	mov	%rcx, 8(%r8, %rax)
	btrq	$41, BTVM_SEL_TSS(%r8)
	mov	CTX_world_cr0(%rdi), %rax
	cmp	CTX_host_cr0(%rdi), %rax
	je	1f
	mov	%rax, %cr0
1:	mov	CTX_world_cr4(%rdi), %rax
	cmp	CTX_host_cr4(%rdi), %rax
	je	1f
	mov	%rax, %cr4
1:	lgdt	CTX_world_gdtr(%rdi)
	/* Nobody but user code loads from it. */
	mov	$BTVM_SEL_USER_LDT, %eax
	lldt	%ax
	mov	$BTVM_SEL_TSS, %eax
	ltr	%ax
	lea	CTX_frame(%rdi), %rsp
	mov	CTX_world_cr3(%rdi), %rax
	mov	%rax, %cr3
	/*
	 * Nothing of the host's is read from here on. As Linux does before it returns to ring 3: on processors whose buffers
	 * could be sampled there, this empties them (Intel's guidance on MDS; only the form with a memory operand does).
	 */
	verw	CTX_writable_selector(%rdi)
	.macro LOAD_DR register, field
	mov	\field(%rdi), %rax
	mov	%rax, \register
	.endm
	LOAD_DR %dr0, CTX_dr+8*0
	LOAD_DR %dr1, CTX_dr+8*1
	LOAD_DR %dr2, CTX_dr+8*2
	LOAD_DR %dr3, CTX_dr+8*3
	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	mov	CTX_dr7(%rdi), %rax
	mov	%rax, %dr7
	/* IDT before GDT: the GDT in force knows the code segment of both IDTs until only the user pair is left. */
	cmpq	$0, CTX_user_tables(%rdi)
	je	1f
	lidt	CTX_user_idtr(%rdi)
	lgdt	CTX_user_gdtr(%rdi)
	/*
	 * A register whose hidden part is no longer what its selector would give (the guest changed the table and did not
	 * reload) is loaded from a descriptor that stands there for this moment. Clobbers RAX, RCX, RDX, RSI.
	 */
	.macro LOAD_DATA register, field, n
	movzwl	\field(%rdi), %eax
	mov	CTX_hidden_part + 8 * \n(%rdi), %rcx
	test	%rcx, %rcx
	jz	8f
	mov	%eax, %edx
	and	$~7, %edx
	mov	%eax, %esi
	and	$4, %esi
	shl	$14, %esi /* the LDT follows the GDT's 64 KiB */
	add	%rsi, %rdx
	add	CTX_user_tables_writable(%rdi), %rdx
	mov	(%rdx), %rsi
	mov	%rcx, (%rdx)
	mov	%eax, \register
	mov	%rsi, (%rdx)
	jmp	9f
8:	mov	%eax, \register
9:
	.endm
1:	LOAD_DATA %ds, CTX_ds, 0
	LOAD_DATA %es, CTX_es, 1
	LOAD_DATA %fs, CTX_fs, 2
	LOAD_DATA %gs, CTX_gs, 3

SYM_INNER_LABEL(btvm_enter_window_end, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	/* RSP is at context->frame, RDI the context: load the guest's registers and go, unless an NMI came in. */
btvm_resume_check:
	cmpq	$0, CTX_pending(%rdi)
	jne	btvm_leave_pending
btvm_resume:
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	add	$8, %rsp
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq
btvm_resume_end:

btvm_leave_pending:
	movq	$BTVM_LEAVE_NMI_PENDING, CTX_leave_reason(%rdi)
	jmp	btvm_leave

	.macro PUSH_REGISTERS
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	$0
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	.endm
	/* Copies the frame that RSP points to into the context at RDI; clobbers RAX, RCX, RDX, RSI. */
	.macro COPY_FRAME field
	mov	%rsp, %rsi
	lea	\field(%rdi), %rax
	mov	$FRAME_SIZE / 8, %ecx
7:	mov	-8(%rsi, %rcx, 8), %rdx
	mov	%rdx, -8(%rax, %rcx, 8)
	dec	%ecx
	jnz	7b
	.endm
	/* User code loads selectors natively: at ring 3 under the user tables they may be others now. Clobbers RAX. */
	.macro KEEP_SELECTORS
	cmpq	$0, CTX_user_tables(%rdi)
	je	7f
	mov	%ds, %eax
	mov	%ax, CTX_ds(%rdi)
	mov	%es, %eax
	mov	%ax, CTX_es(%rdi)
	mov	%fs, %eax
	mov	%ax, CTX_fs(%rdi)
	mov	%gs, %eax
	mov	%ax, CTX_gs(%rdi)
7:
	.endm
	.macro FIND_CONTEXT reg
	mov	%rsp, \reg
	and	$~(BTVM_CONTEXT_SIZE - 1), \reg
	.endm

	/* Every trap but NMI and #MC. On the stack: vector, error, and the processor's frame. */
btvm_trap:
	testb	$3, FRAME_cs - FRAME_vector(%rsp)
	jz	btvm_monitor_fault
	PUSH_REGISTERS
	cld
	FIND_CONTEXT %rdi
	KEEP_SELECTORS
	movq	$BTVM_LEAVE_TRAP, CTX_leave_reason(%rdi)
	mov	CTX_frame + FRAME_vector(%rdi), %rbx
	cmp	$32, %rbx
	jae	btvm_leave
	cmp	$1, %rbx
	je	2f
	cmp	$14, %rbx
	je	3f
1:	mov	CTX_monitor_entry(%rdi), %rax
	test	%rax, %rax
	jz	btvm_leave
	mov	%rdi, %rbx
	mov	CTX_monitor_argument(%rdi), %rsi
	and	$~15, %rsp
	/* No host memory is mapped here for a speculated call to reach. */
	ANNOTATE_RETPOLINE_SAFE
	call	*%rax
	mov	%rbx, %rdi
	lea	CTX_frame(%rdi), %rsp
	test	%eax, %eax
	jnz	4f
	jmp	btvm_resume_check
2:	mov	%dr6, %rax
	mov	%rax, CTX_trap_dr6(%rdi)
	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	jmp	1b
3:	mov	%cr2, %rax
	mov	%rax, CTX_trap_cr2(%rdi)
	jmp	1b
4:	movq	$BTVM_LEAVE_MONITOR, CTX_leave_reason(%rdi)
	jmp	btvm_leave

	/* A fault of ring 0 itself: keep where it was for the report, and end the VM. */
btvm_monitor_fault:
	cmpq	$1, (%rsp)
	je	btvm_late_debug
	PUSH_REGISTERS
	cld
	FIND_CONTEXT %rdi
	COPY_FRAME CTX_fault_frame
	mov	%cr2, %rax
	mov	%rax, CTX_fault_cr2(%rdi)
	movq	$BTVM_LEAVE_MONITOR_FAULT, CTX_leave_reason(%rdi)

	/* RDI: the context. The guest's registers are in context->frame already. */
btvm_leave:
	/* The guest's AC flag is still there (SDM Vol. 3A 6.12.1.3), and would let the host's kernel through SMAP. */
	pushq	$2
	popfq
	xor	%eax, %eax
	mov	%rax, %dr7
	/* Back to the first pair, GDT before IDT, and to the selector that both it and the host's GDT know. */
	cmpq	$0, CTX_user_tables(%rdi)
	je	1f
	lgdt	CTX_world_gdtr(%rdi)
	lidt	CTX_world_idtr(%rdi)
1:	pushq	$BTVM_SEL_KERNEL_CS
	lea	2f(%rip), %rax
	push	%rax
	lretq
2:	UNWIND_HINT_END_OF_STACK
SYM_INNER_LABEL(btvm_leave_window, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	mov	CTX_host_cr3(%rdi), %rax
	mov	%rax, %cr3
	mov	CTX_host_cr0(%rdi), %rax
	cmp	CTX_world_cr0(%rdi), %rax
	je	1f
	mov	%rax, %cr0
1:	mov	CTX_host_cr4(%rdi), %rax
	cmp	CTX_world_cr4(%rdi), %rax
	je	1f
	mov	%rax, %cr4
1:	movzwl	CTX_host_tr(%rdi), %eax
	ltr	%ax
	lgdt	CTX_host_gdtr(%rdi)
	mov	CTX_host_ldt(%rdi), %ax
	lldt	%ax
	mov	$BTVM_SEL_KERNEL_DS, %eax
	mov	%eax, %ss
	movzwl	CTX_host_ds(%rdi), %eax
	mov	%eax, %ds
	movzwl	CTX_host_es(%rdi), %eax
	mov	%eax, %es
	movzwl	CTX_host_fs(%rdi), %eax
	mov	%eax, %fs
	movzwl	CTX_host_gs(%rdi), %eax
	mov	%eax, %gs
	.macro RESTORE_MSR msr, field
	mov	$\msr, %ecx
	mov	\field(%rdi), %eax
	mov	\field + 4(%rdi), %edx
	wrmsr
	.endm
	RESTORE_MSR 0xc0000100, CTX_host_fs_base
	RESTORE_MSR 0xc0000101, CTX_host_gs_base
	RESTORE_MSR 0xc0000080, CTX_host_efer
	RESTORE_MSR 0x174, CTX_host_sysenter_cs
	LOAD_DR %dr0, CTX_host_dr0
	LOAD_DR %dr1, CTX_host_dr1
	LOAD_DR %dr2, CTX_host_dr2
	LOAD_DR %dr3, CTX_host_dr3
	LOAD_DR %dr6, CTX_host_dr6
	mov	CTX_host_rsp(%rdi), %rsp
	lidt	CTX_host_idtr(%rdi)
SYM_INNER_LABEL(btvm_leave_window_end, SYM_L_GLOBAL)
	ANNOTATE_NOENDBR
	/* The host is complete again; its own breakpoints come back last. */
	mov	CTX_host_dr7(%rdi), %rax
	mov	%rax, %dr7
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbx
	pop	%rbp
	RET
SYM_CODE_END(btvm_world_switch)

#include "ring0_return.h"
	LATE_DEBUG
#include "urgent.h"
	URGENT btvm_nmi, 2, 1
	URGENT btvm_machine_check, 18, 2

/* 256 gates' first instructions, 16 bytes each. */
	.balign 16
SYM_CODE_START(btvm_trap_stubs)
	.set vector, 0
	.rept 256
	.balign 16
	UNWIND_HINT_END_OF_STACK
	endbr64
	.if vector == 2
	jmp	btvm_nmi
	.elseif vector == 18
	jmp	btvm_machine_check
	.else
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30)
	pushq	$0
	.endif
	pushq	$vector
	jmp	btvm_trap
	.endif
	.set vector, vector + 1
	.endr
	ANNOTATE_NOENDBR	/* where a loop over the stubs ends */
	int3
	.balign 4096, 0xcc	/* the assembler's own filling begins with a jump to where objtool finds no instruction */
SYM_INNER_LABEL(btvm_switch_end, SYM_L_GLOBAL)
SYM_CODE_END(btvm_trap_stubs)
