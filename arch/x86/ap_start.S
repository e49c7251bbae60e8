/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Start of an application processor: real mode at a page below 1 MiB, to 64-bit C. The page is a copy
 * of [ap_trampoline, ap_trampoline_end); arch/x86/smp.c fills the parameters at its end.
 */
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/start64.inc"

#define OFF(label)	((label) - ap_trampoline)

	.section .rodata.ap, "a", @progbits
	.balign	16

/*
 * ap_trampoline - SIPI target.
 *
 *   in        CS:IP = page:0, interrupts off; parameters at OFF(ap_param)
 *   out       jumps to ap_param.entry with rsp = ap_param.stack, rdi = ap_param.arg
 *   tables    ap_param.cr3: the hypervisor's plus an identity map of this page
 *   spec      SDM Vol. 3A "Initializing IA-32e Mode"; PE and PG are set at once
 */
	.globl	ap_trampoline
	.code16
ap_trampoline:
	cli
	cld
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	OFF(ap_gdt_ptr)
	LONG_MODE_ON OFF(ap_param), (EFER_LME | EFER_NXE)
	ljmpl	*OFF(ap_far)

	.code64
ap_long:
	SEGS_STACK_ONLY SEL_DATA
	mov	ap_param + 8(%rip), %rax
	mov	ap_param + 16(%rip), %rsp
	mov	ap_param + 24(%rip), %rdi
	xor	%ebp, %ebp		/* ends backtraces */
	jmp	*%rax			/* nothing secret was loaded yet: no thunk */
	int3

	.balign	8
ap_gdt:
	.quad	0
	.quad	DESC_FLAT_CODE64
	.quad	DESC_FLAT_DATA
	.globl	ap_gdt_ptr, ap_far, ap_param, ap_trampoline_end
ap_gdt_ptr:
	.short	. - ap_gdt - 1
	.long	OFF(ap_gdt)		/* + address of the page */
	.balign	4
ap_far:
	.long	OFF(ap_long)		/* + address of the page */
	.short	SEL_CODE64
	.balign	8
ap_param:				/* struct ap_param of smp.c */
	.quad	0, 0, 0, 0
ap_trampoline_end:

	.section .note.GNU-stack, "", @progbits
