/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Indirect-branch thunks (rule P4): the compiler routes every indirect call and jump of the
 * hypervisor through __x86_indirect_thunk_<reg> (-mindirect-branch=thunk-extern).
 *
 *   in        target in the named register
 *   clobbers  the word below RSP; nothing else
 *   layout    one entry of 32 bytes per register encoding: mitigation_apply() turns them into
 *             plain jumps on CPUs that need no retpoline
 *   spec      Intel "Retpoline: A Branch Target Injection Mitigation": the return predictor, not
 *             the indirect predictor that a guest can train, is what speculation follows; it lands
 *             in a loop that goes nowhere
 */
	.macro	thunk reg
	.balign	32
	.globl	__x86_indirect_thunk_\reg
__x86_indirect_thunk_\reg:
	call	1f
2:
	pause
	lfence
	jmp	2b
	.balign	16
1:
	mov	%\reg, (%rsp)
	ret
	int3
	.endm

	.section .text.thunk, "ax", @progbits
	.balign	32
	.globl	thunk_table
thunk_table:
	.irp	reg, rax, rcx, rdx, rbx
	thunk	\reg
	.endr
	.balign	32
	.fill	32, 1, 0xcc		/* no branch goes through RSP */
	.irp	reg, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
	thunk	\reg
	.endr
	.balign	32
