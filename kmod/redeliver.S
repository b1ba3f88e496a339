/* SPDX-License-Identifier: GPL-2.0 */
#include <linux/linkage.h>
#include <asm/nospec-branch.h>
#include <asm/unwind_hints.h>

/*
 * void btvm_redeliver(unsigned int vector): raises a vector in the host world as if the interrupt had just come in.
 */
	.text
	.balign 16
SYM_FUNC_START(btvm_redeliver)
	push	%rbp
	mov	%rsp, %rbp
	mov	%edi, %edi
	lea	btvm_int_table(%rip), %rax
	lea	(%rax, %rdi, 8), %rax
	CALL_NOSPEC rax
	pop	%rbp
	RET
SYM_FUNC_END(btvm_redeliver)

	.balign 16
SYM_CODE_START_LOCAL(btvm_int_table)
	.set vector, 0
	.rept 256
	.balign 8
	UNWIND_HINT_FUNC
	endbr64
	.byte	0xcd, vector
	ANNOTATE_UNRET_SAFE
	ret
	int3
	.set vector, vector + 1
	.endr
SYM_CODE_END(btvm_int_table)
