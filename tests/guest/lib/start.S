/* SPDX-License-Identifier: BSD-2-Clause */
/* Entry from the boot loader in 32-bit protected mode, exception stubs, setjmp and CPL 3 calls. */

#include "arch/x86/defs/start64.inc"
#include "boot/load/mb1_abi.h"
#include "tests/guest/lib/layout.h"

#define MB1_FLAGS (MB1_HEADER_PAGE_ALIGN | MB1_HEADER_MEMORY)

	.section .multiboot, "a"
	.balign 4
	.long	MB1_HEADER_MAGIC
	.long	MB1_FLAGS
	.long	-(MB1_HEADER_MAGIC + MB1_FLAGS)

	.text
	.code32
	.globl guest_start
guest_start:
	cli
	cld
	mov	%eax, mb_magic
	mov	%ebx, mb_info_pa
	mov	$boot_stack_top, %esp

	/* all memory is accessible to CPL 3 */
	movl	$(page_pdpt + PTE_P + PTE_W + PTE_U), page_pml4
	MAP_4G	page_pdpt, page_pd, (PTE_P + PTE_W + PTE_U)
	LONG_MODE_ON $page_pml4, (EFER_LME | EFER_NXE | EFER_SCE)
	lgdt	boot_gdt_ptr
	ljmp	$G_CODE64, $1f
	.code64
1:	SEGS_FLAT G_DATA
	mov	$boot_stack_top, %esp
	xor	%ebp, %ebp
	call	guest_main
2:	cli
	hlt
	jmp	2b

	.section .rodata
	.balign 8
	.globl boot_gdt
boot_gdt:
	.quad	0
	.quad	0x00af9b000000ffff
	.quad	0x00cf93000000ffff
boot_gdt_ptr:
	.word	. - boot_gdt - 1
	.long	boot_gdt

	.text
/* One 16-byte stub per vector: error code (0 where the CPU pushes none), vector, common part. */
	.balign 16
	.globl trap_stubs
trap_stubs:
	.set	vec, 0
	.rept	256
	.balign	16
	.if	!(vec == 8 || (vec >= 10 && vec <= 14) || vec == 17 || vec == 21)
	push	$0
	.endif
	push	$vec
	jmp	trap_common
	.set	vec, vec + 1
	.endr

	.balign 16
trap_common:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rbp
	push	%rdi
	push	%rsi
	push	%rdx
	push	%rcx
	push	%rbx
	push	%rax
	mov	%rsp, %rdi
	mov	%rsp, %rbp
	and	$-16, %rsp
	cld
	call	trap_dispatch
	mov	%rbp, %rsp
	pop	%rax
	pop	%rbx
	pop	%rcx
	pop	%rdx
	pop	%rsi
	pop	%rdi
	pop	%rbp
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	.globl trap_iret
trap_iret:
	iretq

/* int guest_setjmp(struct jump *j): 0, or 1 after trap_resume_jump(). */
	.globl guest_setjmp
guest_setjmp:
	mov	(%rsp), %rax
	mov	%rax, 0(%rdi)
	lea	8(%rsp), %rax
	mov	%rax, 8(%rdi)
	mov	%rbx, 16(%rdi)
	mov	%rbp, 24(%rdi)
	mov	%r12, 32(%rdi)
	mov	%r13, 40(%rdi)
	mov	%r14, 48(%rdi)
	mov	%r15, 56(%rdi)
	xor	%eax, %eax
	ret

/*
 * u64 user_enter(u64 (*fn)(u64), u64 arg, u64 user_stack_top): run fn at CPL 3 with interrupts off;
 * it returns through the DPL 3 gate USER_EXIT_VECTOR, whose handler ends at user_leave.
 */
	.globl user_enter
user_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, user_kernel_rsp
	mov	%rdi, %rax
	mov	%rsi, %rdi
	movq	$user_return, -8(%rdx)
	sub	$8, %rdx
	push	$G_UDATA
	push	%rdx
	push	$2
	push	$G_UCODE64
	push	%rax
	iretq
user_return:
	int	$0x81

	.globl user_leave
user_leave:
	mov	user_kernel_rsp, %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.bss
	.balign 4096
	.globl page_pml4
page_pml4: .skip 4096
page_pdpt: .skip 4096
	.globl page_pd
page_pd:   .skip 4 * 4096
boot_stack: .skip 32768
boot_stack_top:
	.globl mb_magic
mb_magic:   .skip 4
	.globl mb_info_pa
mb_info_pa: .skip 4
user_kernel_rsp: .skip 8

	.section .note.GNU-stack, "", @progbits
