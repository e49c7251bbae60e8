/* SPDX-License-Identifier: BSD-2-Clause */
/* The move of the running image to other memory. */

/*
 * void paging_switch(void *dst, const void *src, u64 bytes, u64 cr3);
 *
 * Copy the image, then continue in the copy: the tables at @cr3 map it where the original was.
 *
 *   in        rdi = dst, rsi = src, rdx = bytes (multiple of 8), rcx = cr3
 *   stack     part of the image: nothing is pushed between the copy and the switch
 *   needs     interrupts off; this code at the same address in both sets of tables; CR4.PGE clear
 *   clobbers  rax, rcx, rsi, rdi
 */
	.text
	.globl	paging_switch
paging_switch:
	mov	%rcx, %rax
	mov	%rdx, %rcx
	shr	$3, %rcx
	cld
	rep	movsq
	mov	%rax, %cr3
	ret
	int3
