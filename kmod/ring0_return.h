/* SPDX-License-Identifier: GPL-2.0 */
/* What comes in at ring 0 of the guest world and goes back there by RET: an IRET would let NMIs in too early (see urgent.h). */
	/*
	 * The end of the way back to interrupted ring 0: RBX is its stack pointer, below which RIP is already, RCX its RFLAGS, and
	 * its own RCX and RBX are on the stack. Words below a stack pointer are free: nothing in these worlds has a red zone.
	 */
	.macro RETURN_WITHOUT_IRET
	mov	%rcx, -16(%rbx)
	mov	8(%rsp), %rcx
	mov	%rcx, -24(%rbx)
	mov	(%rsp), %rcx
	lea	-24(%rbx), %rsp
	pop	%rbx
	popfq
	ANNOTATE_UNRET_SAFE
	ret
	int3
	.endm

	.macro LATE_DEBUG
	/*
	 * #DB at ring 0: a breakpoint of the guest's on what user code loaded SS from, held back until after the instruction
	 * that followed, which came in here (SDM Vol. 3A 6.8.3). Note it and go on. The frame is where the words of
	 * the way back go, or 8 bytes lower where the stack was not aligned: each is read before one is written over it.
	 */
btvm_late_debug:
	push	%rbx
	push	%rcx
	push	%rax
	FIND_CONTEXT %rbx
	mov	%dr6, %rax
	or	%rax, CTX_late_dr6(%rbx)
	mov	$0xffff0ff0, %eax
	mov	%rax, %dr6
	pop	%rax
	.set late_frame, 16 /* above RCX and RBX */
	mov	late_frame + FRAME_rsp - FRAME_vector(%rsp), %rbx
	mov	late_frame + FRAME_rip - FRAME_vector(%rsp), %rcx
	mov	%rcx, -8(%rbx)
	mov	late_frame + FRAME_rflags - FRAME_vector(%rsp), %rcx
	btr	$8, %ecx /* TF: nobody steps here */
	RETURN_WITHOUT_IRET
	.endm
