/* SPDX-License-Identifier: GPL-2.0 */
/*
 * NMI and #MC. From ring 3 leave the guest world, and the host raises the vector again. At ring 0 only note it: in the
 * switch windows RDI is the context (the stack may be the host's), in the monitor the stack tells.
 *
 * No IRET until the host has raised it: an IRET lets the next NMI in (SDM Vol. 3A 6.7.1), and Linux's handler, entered by
 * INT 2, loses its return address to one that comes within its first instructions. So the way back from ring 0 is RET. From
 * the instructions that load the guest's registers there is no way back: they end in an IRET, and the frame is whole still.
 * The first words below the processor's frame are skipped: on the host's NMI stack they are Linux's.
 */
#define URGENT_SKIP 256
#define URGENT_RIP (URGENT_SKIP + 16)
#define URGENT_RFLAGS (URGENT_RIP + 16)
#define URGENT_RSP (URGENT_RIP + 24)
	.macro URGENT name, vector, bit
	.balign 16
SYM_CODE_START(\name)
	testb	$3, 8(%rsp)
	jz	1f
	pushq	$0
	pushq	$\vector
	PUSH_REGISTERS
	cld
	FIND_CONTEXT %rdi
	COPY_FRAME CTX_frame
	KEEP_SELECTORS
	movq	$BTVM_LEAVE_TRAP, CTX_leave_reason(%rdi)
	/* Off the IST stack before CR3 and TSS go: a nested one would start at its top. */
	lea	CTX_frame(%rdi), %rsp
	jmp	btvm_leave
1:	lea	-URGENT_SKIP(%rsp), %rsp
	push	%rbx
	push	%rcx
	mov	URGENT_RIP(%rsp), %rcx
	lea	btvm_enter_window(%rip), %rbx
	cmp	%rbx, %rcx
	jb	2f
	lea	btvm_enter_window_end(%rip), %rbx
	cmp	%rbx, %rcx
	jb	3f
	lea	btvm_resume_end(%rip), %rbx
	cmp	%rbx, %rcx
	jb	6f
	lea	btvm_leave_window(%rip), %rbx
	cmp	%rbx, %rcx
	jb	2f
	lea	btvm_leave_window_end(%rip), %rbx
	cmp	%rbx, %rcx
	jb	3f
2:	FIND_CONTEXT %rbx
	orq	$\bit, CTX_pending(%rbx)
	jmp	5f
3:	orq	$\bit, CTX_pending(%rdi)
5:	mov	URGENT_RSP(%rsp), %rbx
	mov	%rcx, -8(%rbx)
	mov	URGENT_RFLAGS(%rsp), %rcx
	RETURN_WITHOUT_IRET
6:	FIND_CONTEXT %rdi
	orq	$\bit, CTX_pending(%rdi)
	lea	CTX_frame(%rdi), %rsp
	cld
	jmp	btvm_leave_pending
SYM_CODE_END(\name)
	.endm
