/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way from long mode to compatibility, 32-bit and real mode and back, and the code that tests
 * run there. Everything between low_start and low_end is copied to LOW_BASE: LA() gives the
 * address there, LO() the offset. The code of the tests is in modes_real.inc and modes_32.inc: all of
 * it is one section of one object, or LO() would be no constant.
 */

#include "arch/x86/defs/start64.inc"
#include "tests/guest/lib/layout.h"

#define LO(x) ((x) - low_start)
#define LA(x) (LO(x) + LOW_BASE)
#define M16(off) (LOW_MAIL + (off))
#define M32(off) (LOW_BASE + LOW_MAIL + (off))
#define OUT16(n) M16(MAIL_OUT + 4 * (n))
#define OUT32(n) M32(MAIL_OUT + 4 * (n))
#define IN16(n)  M16(MAIL_IN + 4 * (n))
#define IN32(n)  M32(MAIL_IN + 4 * (n))

#define LOW_IDT32 0x6000

	.text
	.code64
	.globl mode_switch
mode_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, M32(MAIL_RSP)
	mov	%cr3, %rax
	mov	%rax, M32(MAIL_CR3)
	FAR_JUMP64 $G_CODE32, $LA(low32_entry)

mode_return:
	SEGS_FLAT G_DATA
	mov	M32(MAIL_RSP), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .rodata
	.balign 16
	.globl low_start
low_start:
	.code32
low32_entry:
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$(LOW_BASE + LOW_STACK_TOP), %esp
	cmpl	$MODE_COMPAT, M32(MAIL_KIND)
	jne	1f
	call	*M32(MAIL_TARGET)
	jmp	compat_back
1:	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	and	$~EFER_LME, %eax
	wrmsr
	cmpl	$MODE_REAL, M32(MAIL_KIND)
	je	low_to_real
	call	*M32(MAIL_TARGET)
	jmp	low32_back

low_to_real:
	lidt	LA(real_idt)
	mov	$G_DATA16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	ljmp	$G_CODE16, $LO(low_to_real16)
	.code16
low_to_real16:
	mov	%cr0, %eax
	and	$~CR0_PE, %eax
	mov	%eax, %cr0
	xor	%eax, %eax
	cpuid				/* an exit with PE clear and a protected-mode CS */
	ljmp	$LOW_SEG, $LO(real_start)
real_start:
	mov	$LOW_SEG, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$LOW_STACK_TOP, %esp
	mov	M16(MAIL_TARGET), %ax
	call	*%ax
	cli
	mov	%cr0, %eax
	or	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	$G_CODE32, $LA(real_back)
	.code32
real_back:
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$(LOW_BASE + LOW_STACK_TOP), %esp
low32_back:
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	M32(MAIL_CR3), %eax
	mov	%eax, %cr3
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$0x80010033, %eax
	or	M32(MAIL_CR0_OR), %eax
	mov	%eax, %cr0
compat_back:
	ljmp	$G_CODE64, $mode_return

	.balign 4
real_idt:
	.word	0x3ff
	.long	0

#include "tests/guest/lib/modes_real.inc"
#include "tests/guest/lib/modes_32.inc"

	.code32
	.globl low_end
low_end:

	.section .note.GNU-stack, "", @progbits
