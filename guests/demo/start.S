/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The demonstration guest's first steps: multiboot 2 header, 32-bit entry to long mode, and the page
 * that a SIPI starts the other CPUs in. Nothing here knows Kensho: GRUB can start it as well.
 */
#include "arch/x86/defs/start64.inc"
#include "boot/load/mb2_abi.h"
#include "guests/demo/layout.h"

	.section .multiboot, "a"
	.balign	8
header:
	.long	MB2H_MAGIC, MB2H_ARCH_I386, header_end - header
	.long	-(MB2H_MAGIC + MB2H_ARCH_I386 + (header_end - header))
	.balign	8
	.short	MB2H_CONSOLE, MB2H_OPTIONAL
	.long	12, MB2H_CONSOLE_TEXT
	.balign	8
	.short	MB2H_FRAMEBUFFER, MB2H_OPTIONAL	/* any mode */
	.long	20, 0, 0, 0
	.balign	8
	.short	MB2H_END, 0
	.long	8
header_end:

	.text
	.code32
	.globl	demo_start
demo_start:
	cli
	cld
	mov	%eax, boot_magic
	mov	%ebx, boot_info_pa
	mov	$boot_stack_top, %esp

	movl	$(page_pdpt + PTE_P + PTE_W), page_pml4
	MAP_4G	page_pdpt, page_pd, (PTE_P + PTE_W)
	call	enter_long_mode
	.code64
	mov	$boot_stack_top, %esp
	xor	%ebp, %ebp
	call	demo_main
1:	cli
	hlt
	jmp	1b

/* 32-bit code calls it and goes on in 64-bit mode behind the call; no stack afterwards. */
	.code32
enter_long_mode:
	mov	(%esp), %ebx
enter_long_mode_ebx:
	LONG_MODE_ON $page_pml4, EFER_LME
	lgdt	gdt_ptr
	ljmp	$DEMO_CS, $1f
	.code64
1:	SEGS_FLAT DEMO_DS
	mov	%ebx, %ebx
	jmp	*%rbx

/* bool msr_read(u32 msr, u64 *val): false on #GP, whose handler goes on at msr_fault. */
	.globl	msr_read, msr_insn, msr_fault
msr_read:
	mov	%edi, %ecx
msr_insn:
	rdmsr
	shl	$32, %rdx
	or	%rdx, %rax
	mov	%rax, (%rsi)
	mov	$1, %eax
	ret
msr_fault:
	xor	%eax, %eax
	ret

/* Copied to AP_PAGE: real mode, CS = AP_PAGE >> 4. */
	.section .rodata
	.balign	16
	.code16
	.globl	ap_page, ap_page_end
ap_page:
	cli
	lgdtl	%cs:(ap_gdt_ptr - ap_page)
	mov	%cr0, %eax
	or	$1, %al
	mov	%eax, %cr0
	ljmpl	$DEMO_CS32, $ap_protected
	.balign	4
ap_gdt_ptr:
	.word	gdt_end - gdt - 1
	.long	gdt
ap_page_end:

	.text
	.code32
ap_protected:
	mov	$DEMO_DS, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$ap_long, %ebx
	jmp	enter_long_mode_ebx
	.code64
ap_long:
	mov	$1, %edi		/* the number of this CPU: 1 and up */
	lock xadd %edi, ap_next
	cmp	$DEMO_CPUS, %edi
	jae	1f
	mov	%edi, %eax
	inc	%eax
	shl	$AP_STACK_SHIFT, %eax
	lea	ap_stacks(%rax), %rsp
	xor	%ebp, %ebp
	call	ap_main
1:	cli
	hlt
	jmp	1b

	.section .rodata
	.balign	8
gdt:	.quad	0
	.quad	0x00af9b000000ffff	/* DEMO_CS */
	.quad	0x00cf93000000ffff	/* DEMO_DS */
	.quad	0x00cf9b000000ffff	/* DEMO_CS32 */
gdt_end:
gdt_ptr:
	.word	gdt_end - gdt - 1
	.long	gdt

	.data
	.globl	ap_next
	.balign	4
ap_next: .long	1

	.bss
	.balign	4096
page_pml4: .skip 4096
page_pdpt: .skip 4096
page_pd:   .skip 4 * 4096
	.globl	page_pdpt, page_screen
page_screen: .skip 4096			/* screen.c's */
	.skip	16384
boot_stack_top:
ap_stacks: .skip DEMO_CPUS << AP_STACK_SHIFT
	.globl	boot_magic, boot_info_pa
boot_magic:   .skip 4
boot_info_pa: .skip 4

	.section .note.GNU-stack, "", @progbits
