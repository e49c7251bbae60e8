/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Entry from the boot loader: 32-bit protected mode to 64-bit C at the linked address.
 *
 * Context: interrupts off, flat segments, paging off; nothing else is known about the machine.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/start64.inc"
#include "arch/x86/layout.h"
#include "boot/load/mb2_abi.h"

#define PA(sym)		((sym) - KENSHO_BASE)
#define PML4_SLOT(va)	(((va) >> 39) & 511)

#define CPUID_EXT_MAX	0x80000000
#define CPUID_EXT	0x80000001
#define EDX_NX		20
#define EDX_LM		29

#define COM1		0x3f8
#define VGA_TEXT	0xb8000
#define VGA_RED		0x4f

	.section .text.boot, "ax", @progbits
	.code32

/*
 * _start - entry point of the image.
 *
 *   in        eax = MB2H_BOOT_MAGIC, ebx = physical address of the multiboot2 information
 *   out       calls boot_main(ebx) in 64-bit mode on the main stack of the boot CPU
 *   refuses   readable on COM1 and the screen: other boot protocols, no 64-bit mode, no NX
 *   tables    early: the first 4 GiB at PHYSMAP_BASE and (for the switch only) at 0, the first
 *             1 GiB at KENSHO_BASE, all writable and executable, until boot/relocate.c
 *   spec      Multiboot2 "Machine state"; SDM Vol. 3A, "Initializing IA-32e Mode"
 */
	.globl	_start
_start:
	cli
	cld
	mov	$PA(boot_stacks + MAIN_STACK_TOP), %esp
	mov	%ebx, %ebp
	mov	$PA(.Lno_mb2), %esi
	cmp	$MB2H_BOOT_MAGIC, %eax
	jne	refuse

	mov	$PA(.Lno_long), %esi
	pushf
	mov	(%esp), %eax
	xorl	$RFLAGS_ID, (%esp)
	popf
	pushf
	pop	%ecx
	xor	%ecx, %eax		/* the ID flag toggles only where CPUID exists */
	test	$RFLAGS_ID, %eax
	jz	refuse
	mov	$CPUID_EXT_MAX, %eax
	cpuid
	cmp	$CPUID_EXT, %eax
	jb	refuse
	mov	$CPUID_EXT, %eax
	cpuid
	bt	$EDX_LM, %edx
	jnc	refuse
	mov	$PA(.Lno_nx), %esi
	bt	$EDX_NX, %edx
	jnc	refuse

	MAP_4G	PA(early_pdpt), PA(early_pd), (PTE_P + PTE_W)
	movl	$PA(early_pd + PTE_P + PTE_W), PA(early_pdpt_high + 8 * 510)
	movl	$PA(early_pdpt + PTE_P + PTE_W), PA(early_pml4)
	movl	$PA(early_pdpt + PTE_P + PTE_W), PA(early_pml4 + 8 * PML4_SLOT(PHYSMAP_BASE))
	movl	$PA(early_pdpt_high + PTE_P + PTE_W), PA(early_pml4 + 8 * PML4_SLOT(KENSHO_BASE))

	LONG_MODE_ON $PA(early_pml4), (EFER_LME | EFER_NXE)
	lgdt	PA(boot_gdt_ptr)
	ljmp	$SEL_CODE64, $PA(.Llong)

/*
 * refuse - print the line at esi on COM1 and the screen, stop.
 *
 *   in        esi = physical address of a NUL-terminated line
 */
refuse:
	mov	$PA(.Luart_setup), %ebx
.Luart:
	movzbl	(%ebx), %edx
	mov	1(%ebx), %al
	add	$COM1, %edx
	out	%al, %dx
	add	$2, %ebx
	cmp	$PA(.Luart_setup_end), %ebx
	jne	.Luart

	mov	$VGA_TEXT, %edi
	mov	$(VGA_RED << 8 | ' '), %eax
	mov	$160, %ecx		/* two rows: the longest line needs them */
	rep	stosw
	mov	$VGA_TEXT, %edi
.Lnext:
	lodsb
	test	%al, %al
	jz	.Lstop
	mov	%al, %ah
	cmp	$' ', %al
	jb	.Lcontrol
	mov	%al, (%edi)
	add	$2, %edi
.Lcontrol:
	mov	$100000, %ecx		/* a missing UART must not hang us */
	mov	$(COM1 + 5), %edx
.Lbusy:
	in	%dx, %al
	test	$0x20, %al
	loopz	.Lbusy
	mov	%ah, %al
	mov	$COM1, %edx
	out	%al, %dx
	jmp	.Lnext
.Lstop:
	cli
	hlt
	jmp	.Lstop

	.code64
.Llong:
	movabs	$.Lhigh, %rax
	jmp	*%rax			/* no indirect-branch thunk: nothing secret is mapped yet */
.Lhigh:
	lgdt	boot_gdt_ptr64
	SEGS_STACK_ONLY SEL_DATA
	mov	$boot_stacks + MAIN_STACK_TOP, %rsp

	/* From here on a NULL pointer faults. */
	movq	$0, early_pml4
	mov	%cr3, %rax
	mov	%rax, %cr3

	call	canary_seed
	mov	%ebp, %edi
	xor	%ebp, %ebp		/* ends backtraces */
	call	boot_main
	ud2

/*
 * void canary_seed(void);
 *
 * New stack-protector canary. Only callers that never return may be protected with the old one.
 *
 *   out       __stack_chk_guard; its low byte is 0, which stops string overruns
 *   clobbers  rax, rcx, rdx, rbx
 */
	.globl	canary_seed
canary_seed:
	push	%rbx
	mov	$1, %eax
	cpuid
	xor	%ebx, %ebx
	bt	$30, %ecx		/* RDRAND */
	jnc	.Lno_rdrand
	rdrand	%rbx			/* 0 when it fails */
.Lno_rdrand:
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	movabs	$0x9e3779b97f4a7c15, %rcx
	imul	%rcx, %rax
	xor	%rbx, %rax
	shl	$8, %rax
	mov	%rax, __stack_chk_guard
	pop	%rbx
	ret
	int3

	.section .rodata.boot, "a", @progbits
	.balign	8
boot_gdt:
	.quad	0
	.quad	DESC_FLAT_CODE64
	.quad	DESC_FLAT_DATA
	.quad	DESC_FLAT_CODE32
boot_gdt_end:
boot_gdt_ptr:
	.short	boot_gdt_end - boot_gdt - 1
	.long	PA(boot_gdt)
boot_gdt_ptr64:
	.short	boot_gdt_end - boot_gdt - 1
	.quad	boot_gdt
.Luart_setup:				/* register, value: 115200 baud, 8n1, FIFO on */
	.byte	1, 0x00
	.byte	3, 0x80
	.byte	0, 0x01
	.byte	1, 0x00
	.byte	3, 0x03
	.byte	2, 0x07
	.byte	4, 0x03
.Luart_setup_end:
.Lno_mb2:
	/* Cause (loader): not started by GRUB's `multiboot2`.
	 * Remedy: GRUB 2.06 or later: docs/boot-grub.md. */
	.asciz	"Kensho: not started by a multiboot2 boot loader. Use GRUB 2: multiboot2 /boot/kensho.elf\r\n"
.Lno_long:
	/* Cause (cpu): a 32-bit processor or virtual machine.
	 * Remedy: a 64-bit one: `qemu-system-x86_64`, not `-i386`. */
	.asciz	"Kensho: this CPU has no 64-bit mode. Kensho needs a 64-bit Intel CPU with VMX.\r\n"
.Lno_nx:
	/* Cause (cpu): "Execute Disable" (XD, NX) is off in the firmware set-up.
	 * Remedy: switch it on. */
	.asciz	"Kensho: this CPU has no NX bit, or the firmware disabled it. Enable 'Execute Disable'.\r\n"

	.section .bss.canary, "aw", @nobits
	.balign	8
	.globl	__stack_chk_guard
__stack_chk_guard:
	.skip	8

	.section .early, "aw", @nobits
	.balign	0x1000
early_pml4:
	.skip	0x1000
early_pdpt:
	.skip	0x1000
early_pdpt_high:
	.skip	0x1000
early_pd:
	.skip	0x4000
