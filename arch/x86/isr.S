/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host interrupt and exception entry (VMX root operation and boot).
 */
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/start64.inc"
#include "arch/x86/defs/vector.h"

#define FRAME_RIP	(8 * 8)		/* in the NMI stub: above eight saved registers */

	.text

/*
 * isr_stubs - one entry of 16 bytes per vector.
 *
 *   stack     [0] RIP or error code; the vector is pushed below
 */
	.balign	16
	.globl	isr_stubs
isr_stubs:
	.set	vector, 0
	.rept	VECTOR_COUNT
	.balign	16
	.byte	0x68			/* PUSH imm32: one length for all vectors */
	.long	vector
	jmp	isr_common
	.set	vector, vector + 1
	.endr

/*
 * isr_common - save registers, call exception_entry(frame), return to the interrupted code.
 *
 *   stack     the CPU aligned RSP to 16 and pushed SS, RSP, RFLAGS, CS, RIP and perhaps an error
 *             code, the stub the vector: RSP is 0 modulo 16 without an error code, 8 with one.
 *             Normalised to [0] vector, [1] error code, [2] RIP...; after fifteen more pushes it
 *             is struct exc_frame, aligned to 16
 *   needs     GS.base is the per-CPU block: always so in root operation, no SWAPGS
 *   note      RBP stays the interrupted code's: backtraces go on there
 *
 * The alignment and not a list of vectors, because an 8259 that the firmware left at vector 8 makes
 * interrupts on vectors whose exceptions have an error code.
 */
	.balign	16
isr_common:
	test	$8, %spl
	jnz	.Lhas_error
	push	(%rsp)
	movq	$0, 8(%rsp)
.Lhas_error:
	push	%rax
	push	%rbx
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%rbp
	push	%r8
	push	%r9
	push	%r10
	push	%r11
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	cld
	mov	%rsp, %rdi
	call	exception_entry
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rbp
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rbx
	pop	%rax
	add	$16, %rsp
	iretq

/*
 * isr_nmi - NMI in root operation (rules K1, K2).
 *
 *   does      an interrupted RIP in a window, [vmenter_window_start, vmenter_window_end) or
 *             [rdmsr_window_start, rdmsr_window_end), becomes vmenter_abort: the entry path starts
 *             over and sees the work that the NMI announces; then host_nmi(whether that was so)
 *   stack     NMI stack; five words from the CPU and nine saved registers: aligned to 16
 *   needs     the interrupted code in the window keeps nothing that vmenter_abort cannot rebuild
 */
	.weak	vmenter_window_start
	.weak	vmenter_window_end
	.weak	rdmsr_window_start
	.weak	rdmsr_window_end
	.weak	vmenter_abort
	.globl	isr_nmi
	.balign	16
isr_nmi:
	push	%rax
	push	%rcx
	push	%rdx
	push	%rsi
	push	%rdi
	push	%r8
	push	%r9
	push	%r10
	mov	FRAME_RIP(%rsp), %rax
	xor	%edi, %edi
	cmp	$vmenter_window_start, %rax
	jb	.Loutside
	cmp	$vmenter_window_end, %rax
	jb	.Linside
	cmp	$rdmsr_window_start, %rax
	jb	.Loutside
	cmp	$rdmsr_window_end, %rax
	jae	.Loutside
.Linside:
	movq	$vmenter_abort, FRAME_RIP(%rsp)
	inc	%edi			/* an entry starts over */
.Loutside:
	push	%r11
	cld
	call	host_nmi
	pop	%r11
	pop	%r10
	pop	%r9
	pop	%r8
	pop	%rdi
	pop	%rsi
	pop	%rdx
	pop	%rcx
	pop	%rax
	iretq

/*
 * void hw_irq_window(void);
 *
 * Take physical interrupts for one instruction. STI delays them until after PAUSE, so the
 * interrupted RIP is that of CLI.
 */
	.globl	hw_irq_window
	.globl	irq_window_start
	.globl	irq_window_end
	.balign	16
hw_irq_window:
	sti
irq_window_start:
	pause
	cli
irq_window_end:
	ret
	int3

/*
 * void gdt_reload_segments(void);
 *
 *   does      CS = SEL_CODE64, SS = SEL_DATA, the others null
 *   clobbers  rax, rdx; the bases of FS and GS
 */
	.globl	gdt_reload_segments
gdt_reload_segments:
	pop	%rdx
	SEGS_STACK_ONLY SEL_DATA
	FAR_JUMP64 $SEL_CODE64, %rdx
	int3
