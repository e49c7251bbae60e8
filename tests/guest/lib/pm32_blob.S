/* SPDX-License-Identifier: BSD-2-Clause */
/* The 32-bit program of tests/guest/pm32, as it is copied to PM_BASE. */
	.section .rodata
	.globl pm32_blob, pm32_blob_end
	.balign 16
pm32_blob:
	.incbin "pm32.bin"
pm32_blob_end:

	.section .note.GNU-stack, "", @progbits
