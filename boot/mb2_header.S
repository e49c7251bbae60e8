/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot2 header: what we ask of the boot loader. Must lie in the first 32 KiB of the file.
 * Spec: Multiboot2 Specification 2.0, "OS image format".
 */
#include "boot/load/mb2_abi.h"

	.section .multiboot2, "a", @progbits
	.balign	8
header:
	.long	MB2H_MAGIC
	.long	MB2H_ARCH_I386
	.long	header_end - header
	.long	-(MB2H_MAGIC + MB2H_ARCH_I386 + (header_end - header)) & 0xffffffff

	/* Without a memory map there is nothing to do; everything else may be absent. */
	.balign	8
	.short	MB2H_REQUEST
	.short	0
	.long	12
	.long	MB2I_MMAP

	/* Text mode: flag bit 1 says we can use it, bit 0 clear: we can do without. */
	.balign	8
	.short	MB2H_CONSOLE
	.short	MB2H_OPTIONAL
	.long	12
	.long	MB2H_CONSOLE_TEXT

	/*
	 * A framebuffer of any size and depth. Without this tag GRUB has no screen for us on UEFI,
	 * where there is no text mode. With it the command multiboot2 sets gfxpayload=auto; what the
	 * user sets behind that command is what counts.
	 */
	.balign	8
	.short	MB2H_FRAMEBUFFER
	.short	MB2H_OPTIONAL
	.long	20
	.long	0			/* width, height, depth */
	.long	0
	.long	0

	.balign	8
	.short	MB2H_MODULE_ALIGN
	.short	0
	.long	8

	.balign	8
	.short	MB2H_END
	.short	0
	.long	8
header_end:
