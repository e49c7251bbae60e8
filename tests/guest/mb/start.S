/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that prints the boot information it got: one program, six kinds of image. MB_KIND is 1
 * (multiboot) or 2, MB_FLAT and MB_RELOC add address fields and the relocatable tag. It runs
 * wherever it is loaded: no address in it is absolute but those of the header.
 */
#include "boot/load/mb1_abi.h"
#include "boot/load/mb2_abi.h"

#ifdef MB_FLAT
#define FLAGS1 (MB1_HEADER_PAGE_ALIGN | MB1_HEADER_MEMORY | MB1_HEADER_ADDRESSES)
#else
#define FLAGS1 (MB1_HEADER_PAGE_ALIGN | MB1_HEADER_MEMORY)
#endif
#define LEN2   (header_end - header)

	.section .multiboot, "a"
	.balign	8
header:
#if MB_KIND == 1
	.long	MB1_HEADER_MAGIC, FLAGS1, -(MB1_HEADER_MAGIC + FLAGS1)
#ifdef MB_FLAT
	.long	header, image_begin, image_end, bss_end, start
#endif
#else
	.long	MB2H_MAGIC, MB2H_ARCH_I386, LEN2, -(MB2H_MAGIC + MB2H_ARCH_I386 + LEN2)
	.balign	8
	.short	MB2H_REQUEST, 0		/* demanded: what everybody has */
	.long	8 + 5 * 4, MB2I_CMDLINE, MB2I_LOADER, MB2I_MODULE, MB2I_MEMINFO, MB2I_MMAP
	.balign	8
	.short	MB2H_MODULE_ALIGN, 0
	.long	8
#ifdef MB_FLAT
	.balign	8
	.short	MB2H_ADDRESS, 0
	.long	24, header, image_begin, image_end, bss_end
	.balign	8
	.short	MB2H_ENTRY, 0
	.long	12, start
#endif
#ifdef MB_RELOC
	.balign	8
	.short	MB2H_RELOCATABLE, 0
	.long	24, 0x1000000, 0x4000000, 0x200000, MB_RELOC
#endif
	.balign	8
	.short	MB2H_EFI_BS, 0		/* demanded, but it counts on EFI machines only */
	.long	8
	.balign	8
	.short	MB2H_END, 0
	.long	8
#endif
header_end:

	.text
	.code32
	.globl	start
start:
	mov	$0x7c00, %esp		/* conventional memory, to learn where we are */
	call	1f
1:	pop	%ebp
	lea	stack_top - 1b(%ebp), %esp	/* the stack is the program's own */
	pushf
	pop	%edx
	mov	%cr0, %ecx
	push	%edx
	push	%ecx
	push	%ebx
	push	%eax
	call	mb_main
2:	cli
	hlt
	jmp	2b

	.bss
	.skip	16384
stack_top:

	.section .note.GNU-stack, "", @progbits
