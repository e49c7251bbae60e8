/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where a SIPI starts a CPU: real mode to long mode. ap_start..ap_end is copied to AP_BASE, page
 * aligned, so that AP_BASE >> 12 is a SIPI vector; other vectors reach it by a far jump.
 *
 * The state as INIT and SIPI left it is stored first, in the order of struct ap_state. The area is
 * shared: it tells about one CPU when one is started at a time.
 */

#include "arch/x86/defs/start64.inc"
#include "tests/guest/lib/layout.h"

#define AP(x) ((x) - ap_start)
#define S(n)  %cs:(AP_STATE + 4 * (n))

	.section .rodata
	.balign 16
	.code16
	.globl ap_start
ap_start:
	mov	%eax, S(0)
	mov	%ebx, S(1)
	mov	%ecx, S(2)
	mov	%edx, S(3)
	mov	%esi, S(4)
	mov	%edi, S(5)
	mov	%ebp, S(6)
	mov	%esp, S(7)
	mov	%ds, %ax
	movzwl	%ax, %eax
	mov	%eax, S(8)
	mov	%ss, %ax
	mov	%eax, S(9)
	mov	%cs, %ax
	mov	%eax, S(10)
	mov	%ax, %ss
	mov	$AP_STACK, %esp
	pushfl
	popl	S(11)
	mov	%cr0, %eax
	mov	%eax, S(12)
	mov	%cr2, %eax
	mov	%eax, S(13)
	mov	%cr3, %eax
	mov	%eax, S(14)
	mov	%cr4, %eax
	mov	%eax, S(15)
	mov	%dr6, %eax
	mov	%eax, S(16)
	mov	%dr7, %eax
	mov	%eax, S(17)
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	mov	%eax, S(18)
	sidt	S(20)			/* 6 bytes */

	cli
	lgdtl	%cs:AP(ap_gdt_ptr)
	LONG_MODE_ON $page_pml4, (EFER_LME | EFER_NXE | EFER_SCE)
	ljmpl	$G_CODE64, $ap_long
	.balign 4
ap_gdt_ptr:
	.word	23
	.long	boot_gdt
	.globl ap_end
ap_end:

	.text
	.code64
/* Which CPU am I: a slot of smp_ids[] with my ID, or the first free one. No stack yet. */
ap_long:
	SEGS_FLAT G_DATA
	mov	$1, %eax
	cpuid
	shr	$24, %ebx
	mov	%ebx, %edi
	mov	$1, %ecx
1:	mov	$-1, %eax
	lock cmpxchg %edi, smp_ids(,%rcx,4)
	je	2f
	cmp	%eax, %edi
	je	2f
	inc	%ecx
	cmp	$SMP_MAX, %ecx
	jb	1b
3:	hlt				/* more CPUs than slots: out of the game */
	jmp	3b
2:	mov	%ecx, %edi
	inc	%ecx
	shl	$SMP_STACK_SHIFT, %ecx
	lea	smp_stacks(%rcx), %rsp
	xor	%ebp, %ebp
	call	ap_main
	ud2

	.section .note.GNU-stack, "", @progbits
