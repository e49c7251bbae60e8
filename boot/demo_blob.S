/* SPDX-License-Identifier: BSD-2-Clause */
/* The demonstration guest's ELF file, as if GRUB had loaded it as a module. Source: guests/demo. */
	.section .rodata
	.balign	4096
	.globl	demo_image, demo_image_end
demo_image:
	.incbin	"demo.elf"
demo_image_end:

	.section .note.GNU-stack, "", @progbits
