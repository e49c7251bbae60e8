/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * 32-bit side of the task tests: the way in, operations that switch tasks, bodies of tasks, trap
 * stubs.
 */
#include "tests/guest/lib/layout.h"
#include "tests/guest/pm32/pm32.h"

#define S_DATA     G_DATA
#define S_CODE     G_CODE32
#define S_CODE_LOW 0x30

	.code32
	.section .entry, "ax"
	.globl pm_entry
pm_entry:
	push	%ebx
	push	%esi
	push	%edi
	push	%ebp
	sgdt	old_gdt
	mov	%esp, entry_esp
	call	pm_main
pm_leave:
	call	pm_end
	lgdt	old_gdt
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	pop	%ebp
	pop	%edi
	pop	%esi
	pop	%ebx
	ret

	.globl pm_abort
pm_abort:
	mov	entry_esp, %esp
	jmp	pm_leave

	.text
/* void try_raw(void (*op)(void)): comes back by itself or through try_resume. */
	.globl try_raw, try_resume
try_raw:
	push	%ebx
	push	%esi
	push	%edi
	push	%ebp
	mov	%esp, try_esp
	call	*20(%esp)
try_out:
	pop	%ebp
	pop	%edi
	pop	%esi
	pop	%ebx
	ret
try_resume:
	mov	try_esp, %esp
	jmp	try_out

/* OP NAME: patterns, the instruction, registers to `back`. */
	.macro op name, text:vararg
	.globl \name, \name\()_at, \name\()_next
\name:
	pusha
	mov	%esp, op_esp
	mov	$0xa0b0c000, %eax
	mov	$0xa0b0c011, %ecx
	mov	$0xa0b0c022, %edx
	mov	$0xa0b0c033, %ebx
	mov	$0xa0b0c055, %ebp
	mov	$0xa0b0c066, %esi
	mov	$0xa0b0c077, %edi
\name\()_at:
	\text
\name\()_next:
	nop
	jmp	op_done
	.endm

op_done:
	call	record_back
	mov	op_esp, %esp
	popa
	ret

	op	op_call, lcall *far_ptr
	op	op_jmp, ljmp *far_ptr
	op	op_int30, int $0x30
	op	op_int3, int3
	op	op_ud2, ud2
	op	op_iret, iret
	op	op_load_ds, mov op_selector, %ds

/* A load from the address in op_addr. */
	.globl op_load, op_load_at, op_load_next
op_load:
	pusha
	mov	%esp, op_esp
	mov	op_addr, %ebx
op_load_at:
	mov	(%ebx), %eax
op_load_next:
	jmp	op_done

	.macro op2 name, before, text
	.globl \name, \name\()_at, \name\()_next
\name:
	pusha
	mov	%esp, op_esp
	\before
\name\()_at:
	\text
\name\()_next:
	nop
	jmp	op_done
	.endm

op_wrmsr_regs:
	mov	$0xdeadbeef, %ecx
	xor	%eax, %eax
	xor	%edx, %edx
	ret
	op2	op_wrmsr, "call op_wrmsr_regs", wrmsr
op_nmi_regs:
	mov	$0xfee00300, %ebx
	mov	$0x4400, %eax		/* NMI, assert */
	ret
	op2	op_nmi, "call op_nmi_regs", "movl %eax, (%ebx)"
	op2	op_sti, sti, nop

/* One NOP with TF. */
	.globl op_step, op_step_at, op_step_next
op_step:
	pusha
	mov	%esp, op_esp
	pushf
	orl	$0x100, (%esp)
	popf
op_step_at:
	lcall	*far_ptr
op_step_next:
	nop
	nop
	pushf
	andl	$~0x100, (%esp)
	popf
	jmp	op_done

/* CALL in the shadow of MOV SS. */
	.globl op_mov_ss, op_mov_ss_next
op_mov_ss:
	pusha
	mov	%esp, op_esp
	mov	%ss, %eax
	mov	%eax, %ss
	lcall	*far_ptr
op_mov_ss_next:
	jmp	op_done

/* void far_call(u32 selector), far_jmp: from inside a task. */
	.globl far_call, far_jmp
far_call:
	mov	4(%esp), %eax
	push	%eax
	push	$0
	lcall	*(%esp)
	add	$8, %esp
	ret
far_jmp:
	mov	4(%esp), %eax
	push	%eax
	push	$0
	ljmp	*(%esp)
	add	$8, %esp
	ret

/* RECORD WHERE, SEGMENT: all registers; EAX is lost. */
	.macro record where, seg
	mov	%eax, \seg:\where+0
	mov	%ecx, \seg:\where+4
	mov	%edx, \seg:\where+8
	mov	%ebx, \seg:\where+12
	mov	%esp, \seg:\where+16
	mov	%ebp, \seg:\where+20
	mov	%esi, \seg:\where+24
	mov	%edi, \seg:\where+28
	pushf
	popl	\seg:\where+32
	mov	%es, %eax
	mov	%eax, \seg:\where+36
	mov	%cs, %eax
	mov	%eax, \seg:\where+40
	mov	%ss, %eax
	mov	%eax, \seg:\where+44
	mov	%ds, %eax
	mov	%eax, \seg:\where+48
	mov	%fs, %eax
	mov	%eax, \seg:\where+52
	mov	%gs, %eax
	mov	%eax, \seg:\where+56
	sldt	%eax
	mov	%eax, \seg:\where+60
	str	%eax
	mov	%eax, \seg:\where+64
	.endm

record_back:
	record	back, %ss
	ret

/* Body of every 32-bit task: record, do its work in C, return to the task before; again. */
	.globl task_entry
task_entry:
	record	seen, %ss
	mov	%ss, %eax
	mov	%eax, %ds
	mov	%eax, %es
	cld
	call	task_body
	iret
	jmp	task_entry

/* 16-bit TSS: DS is flat, CS has PM_BASE, SS is 16 bits wide. */
	.globl task16_entry
task16_entry:
	record	seen, %ds
	ljmp	$S_CODE, $1f
1:	mov	$S_DATA, %eax
	mov	%eax, %ss
	mov	%eax, %es
	mov	$stack16_top, %esp
	cld
	call	task_body
	iret

/* Calls B out of a 16-bit TSS and records what it has afterwards in seen16. */
	.globl task16_nest
task16_nest:
	mov	$0x1a2b, %ax
	mov	$0x1a2c, %cx
	mov	$0x1a2d, %bp
	lcall	*far_ptr
	record	seen16, %ds
	iret

/* A task whose stack keeps nothing: record with DS, then on a stack of main's. */
	.globl region_task
region_task:
	mov	%esp, %ds:seen+16
	str	%eax
	mov	%eax, %ds:seen+64
	mov	$stack16_top, %esp
	cld
	call	task_body

/* CPL 3: a misaligned push. */
	.globl misaligned_task
misaligned_task:
	push	%eax
	jmp	misaligned_task

/* CPL 3: enter the handler through a task gate, then end through an interrupt gate. */
	.globl user_task
user_task:
	int	$0x30
	int	$0x31

/* CPL 3: one port that the bitmap allows, one that it does not. */
	.globl user_io_task
user_io_task:
	out	%al, $0x80
	in	$0x84, %al

	.code16
	.globl v86_task, v86_int30_next, v86_end
v86_task:
	mov	%cs, %ax
	mov	%ds, %bx
	int	$0x30			/* a task gate */
v86_int30_next:
	int	$0x31			/* an interrupt gate to CPL 0 */
v86_end:
	.code32

/* Trap stubs: 16 bytes each. */
	.balign	16
	.globl trap_stubs
trap_stubs:
	vector = 0
	.rept	64
	.balign	16
	.if	!(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
	push	$0
	.endif
	push	$vector
	jmp	trap_common
	vector = vector + 1
	.endr
trap_common:
	pusha
	push	%ds
	mov	$S_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	cld
	push	%esp
	call	trap_c
	add	$4, %esp
	pop	%ds
	popa
	add	$8, %esp
	iret

	.data
	.balign 4
	.globl far_ptr, op_addr, op_selector
far_ptr:
	.long	0, 0
op_addr:
	.long	0
op_selector:
	.long	0
op_esp:
	.long	0
try_esp:
	.long	0
entry_esp:
	.long	0
old_gdt:
	.word	0
	.long	0
	.space	2
	.balign	16
	.space	2048
stack16_top:

	.section .note.GNU-stack, "", @progbits
