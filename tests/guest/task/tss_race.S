/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several CPUs call one task without paging. Copied to RACE_CODE; RA() gives addresses there, D()
 * those of struct race.
 */

#include "tests/guest/lib/layout.h"
#include "tests/guest/task/tss_race.h"

#define RA(x) ((x) - race_start + RACE_CODE)
#define D(x)  (RACE_DATA + RACE_##x)

	.section .rodata
	.balign 16
	.globl race_start, race_boot_cpu, race_task, race_refused, race_end
	.code16
race_start:				/* SIPI: real mode, CS:IP = 2000:0 */
	cli
	mov	$(RACE_DATA >> 4), %ax
	mov	%ax, %ds
	lgdtl	RACE_GDTR
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$RACE_S_CODE, $RA(other_cpu)

	.code32
other_cpu:
	mov	$1, %eax
	mov	$RACE_S_DATA, %ecx
	mov	%ecx, %ds
	mov	%ecx, %es
	mov	%ecx, %ss
	lock xadd %eax, D(NEXT)
	mov	%eax, %esp
	shl	$8, %esp		/* RACE_STACK */
	add	$(D(STACKS) + RACE_STACK), %esp
	lea	RACE_S_MAIN(, %eax, 8), %eax
	ltr	%ax
	lidt	D(IDTR)
	call	race
	lock incl D(DONE)
1:	hlt
	jmp	1b

/* Called in 32-bit mode of the suite; returns there. */
race_boot_cpu:
	sgdt	D(SAVED_GDTR)
	lgdt	D(GDTR)
	ljmp	$RACE_S_CODE, $RA(1f)
1:	mov	$RACE_S_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$RACE_S_MAIN, %eax
	ltr	%ax
	lidt	D(IDTR)
	call	race
	lock incl D(DONE)
	mov	$RACE_LIMIT, %ecx
2:	mov	D(DONE), %eax
	cmp	D(CPUS), %eax
	je	3f
	pause
	dec	%ecx
	jnz	2b
	lock incl D(LATE)
3:	lgdt	D(SAVED_GDTR)
	ljmp	$G_CODE32, $RA(4f)
4:	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	ret

/* All together: RACE_ROUNDS calls each that are not refused. */
race:
	lock incl D(READY)
	mov	$RACE_LIMIT, %ecx
1:	mov	D(READY), %eax
	cmp	D(CPUS), %eax
	je	2f
	pause
	dec	%ecx
	jnz	1b
	lock incl D(LATE)
	ret
2:	mov	D(ROUNDS), %ecx
3:	lcall	$RACE_S_TASK, $0
	dec	%ecx
	jnz	3b
	ret

/* #GP: the task is busy, try again. Anything else is counted apart. */
race_refused:
	cmpl	$RACE_S_TASK, (%esp)
	je	1f
	lock incl D(BAD)
1:	lock incl D(REFUSED)
	add	$4, %esp
	pause
	iret

/* The task: it counts its runs in memory and in ESI, which only its TSS keeps. */
race_task:
	mov	$1, %eax
	xchg	%eax, D(OWNER)
	add	%eax, D(TOGETHER)
	incl	D(RUNS)
	inc	%esi
	mov	$RACE_SPIN, %ecx
1:	pause
	dec	%ecx
	jnz	1b
	movl	$0, D(OWNER)
	iret
	jmp	race_task
race_end:

	.section .note.GNU-stack, "", @progbits
