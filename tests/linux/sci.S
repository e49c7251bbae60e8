/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * sci PORT: ACPI's level interrupt, once. PORT, in hex, is the PM1 event block as /proc/ioports has it.
 * Waits for the PM timer's carry (TMR_STS, every 2.3 s), raises the line by enabling that event, keeps
 * it up for some milliseconds, unless the kernel takes it down, and takes it down.
 */
#define SYS_EXIT 60
#define SYS_IOPL 172

#define TMR    1		/* in PM1 status, written 1 to clear, and in PM1 enable */
#define ENABLE 2		/* offset of PM1 enable on PIIX4 */
#define SPIN   100000

	.text
	.globl _start
_start:	mov	16(%rsp), %rsi		/* argv[1] */
	xor	%ebx, %ebx
1:	movzbl	(%rsi), %eax
	inc	%rsi
	test	%al, %al
	jz	2f
	sub	$'0', %al
	cmp	$10, %al
	jb	3f
	sub	$'a' - '0' - 10, %al
3:	shl	$4, %ebx
	or	%eax, %ebx
	jmp	1b
2:	mov	$3, %edi
	mov	$SYS_IOPL, %eax
	syscall
	mov	%eax, %edi
	test	%eax, %eax
	jnz	end

4:	pause
	mov	%ebx, %edx
	in	%dx, %ax
	test	$TMR, %al
	jz	4b
	lea	ENABLE(%rbx), %edx
	in	%dx, %ax
	or	$TMR, %eax
	out	%ax, %dx
	mov	$SPIN, %ecx
5:	dec	%ecx
	jnz	5b
	mov	%ebx, %edx
	mov	$TMR, %eax
	out	%ax, %dx
	lea	ENABLE(%rbx), %edx
	in	%dx, %ax
	and	$~TMR, %eax
	out	%ax, %dx
	xor	%edi, %edi
end:	mov	$SYS_EXIT, %eax
	syscall
