/* SPDX-License-Identifier: BSD-2-Clause */
/* compat_call(): see modes.h. Everything lies below 4 GiB, stacks included. */

#include "arch/x86/defs/start64.inc"

	.text
	.code64
	.globl compat_call
compat_call:
	push	%rbx
	push	%rbp
	mov	%rsp, %rbp
	mov	%edx, compat_cs64
	mov	%ss, %eax		/* 64-bit code does not care what DS and ES are */
	mov	%eax, %ds
	mov	%eax, %es
	mov	%ecx, %eax
	mov	%edi, %ebx
	FAR_JUMP64 %rsi, $compat_32
	.code32
compat_32:
	movl	$compat_done, trap_catch_rip
	movl	$0, trap_catch_rip + 4
	call	*%ebx
compat_done:
	movl	$0, trap_catch_rip
	mov	%ebp, %esp
	push	compat_cs64
	push	$compat_64
	lret
	.code64
compat_64:
	mov	%ebp, %esp
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign 4
compat_cs64:
	.long	0

	.section .note.GNU-stack, "", @progbits
