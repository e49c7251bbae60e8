/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that prints the boot information it got: one program, six kinds of image. MB_KIND is 1
 * (multiboot) or 2, MB_FLAT and MB_RELOC add address fields and the relocatable tag. It runs
 * wherever it is loaded: no address in it is absolute but those of the header.
 */
#define MAGIC1 0x1badb002
#ifdef MB_FLAT
#define FLAGS1 0x00010003
#else
#define FLAGS1 0x00000003
#endif
#define MAGIC2 0xe85250d6
#define LEN2   (header_end - header)

	.section .multiboot, "a"
	.balign	8
header:
#if MB_KIND == 1
	.long	MAGIC1, FLAGS1, -(MAGIC1 + FLAGS1)
#ifdef MB_FLAT
	.long	header, image_begin, image_end, bss_end, start
#endif
#else
	.long	MAGIC2, 0, LEN2, -(MAGIC2 + LEN2)
	.balign	8
	.short	1, 0			/* demanded: what everybody has */
	.long	8 + 5 * 4, 1, 2, 3, 4, 6
	.balign	8
	.short	6, 0
	.long	8
#ifdef MB_FLAT
	.balign	8
	.short	2, 0
	.long	24, header, image_begin, image_end, bss_end
	.balign	8
	.short	3, 0
	.long	12, start
#endif
#ifdef MB_RELOC
	.balign	8
	.short	10, 0
	.long	24, 0x1000000, 0x4000000, 0x200000, MB_RELOC
#endif
	.balign	8
	.short	7, 0			/* demanded, but it counts on EFI machines only */
	.long	8
	.balign	8
	.short	0, 0
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
