/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The real-mode code of guest=disk0, and the hook of the BIOS for every guest that may call it. It
 * runs in the partition: boot/load/bios_hook.c copies it to the end of the guest's conventional
 * memory and fills in the header. It never writes to itself.
 *
 * Spec: BIOS Boot Specification 1.01 "IPL"; ACPI "INT 15H, E820H - Query System Address Map";
 *       Plug and Play BIOS Specification 1.0A "System Bootstrap"; IBM PC/AT Technical Reference.
 */
#include "boot/load/disk_stub.h"

#define OFF(label)	((label) - disk_stub)

#define BOOT_SECTOR	0x7c00
#define BOOT_SIGNATURE	0xaa55
#define FIRST_DISK	0x80
#define BDA_DISKS	0x475		/* BIOS data area: number of hard disks */
#define READ_ATTEMPTS	3
#define SMAP		0x534d4150
#define E820_BYTES	20		/* an entry without the attributes of ACPI 3.0 */
#define NOT_SUPPORTED	0x86
#define FLAGS_CF	1

#define BDA_SHIFT	0x417		/* keyboard: shift state */
#define SHIFT_CTRL_ALT	0x0c
#define KEY_DEL		0x53

#define RESET_CONTROL	0xcf9		/* of Intel's chipsets */
#define RESET_COLD	0x02
#define RESET_NOW	0x06
#define KBC_COMMAND	0x64
#define KBC_RESET	0xfe

#define UART_LSR	5
#define UART_LSR_THRE	0x20
#define UART_PATIENCE	0xffff

/* Of the interrupted program, from BP after a handler pushed it: the FLAGS that IRET takes. */
#define FRAME_FLAGS	6

	.section .rodata.disk, "a", @progbits
	.balign	16
	.globl	disk_stub, disk_stub_end
	.code16

disk_stub:
	jmp	boot

	.org	disk_stub + DISK_STUB_INT15
	.short	OFF(int15)
	.org	disk_stub + DISK_STUB_INT12
	.short	OFF(int12)
	.org	disk_stub + DISK_STUB_HEADER_BYTES

/*
 * boot - what firmware does at INT 19h, for its first hard disk.
 *
 *   in        CS:IP = disk_stub, real mode, interrupts off, nothing else
 *   out       0000:7C00 with DL = 80h, ES:DI = PnP installation check, interrupts on, 80x25 text
 *   failure   one line on the screen and COM1; Ctrl-Alt-Del works
 */
boot:
	xor	%ax, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$BOOT_SECTOR, %sp
	cld
	sti
	mov	$0x0003, %ax		/* set mode: 80x25 text, cleared */
	int	$0x10
	mov	$OFF(no_disk), %si
	cmpb	$0, BDA_DISKS
	je	fail
	mov	$READ_ATTEMPTS, %bp
1:	mov	$0x0201, %ax		/* read one sector */
	mov	$0x0001, %cx		/* cylinder 0, sector 1 */
	mov	$FIRST_DISK, %dx	/* head 0 */
	mov	$BOOT_SECTOR, %bx
	push	%bp
	int	$0x13
	pop	%bp
	sti				/* some firmware returns with them off */
	jnc	2f
	push	%ax
	xor	%ax, %ax		/* reset the drive */
	mov	$FIRST_DISK, %dl
	push	%bp
	int	$0x13
	pop	%bp
	pop	%ax
	dec	%bp
	jnz	1b
	jmp	fail_read
2:	mov	$OFF(no_signature), %si
	cmpw	$BOOT_SIGNATURE, BOOT_SECTOR + 510
	jne	fail
	les	%cs:DISK_STUB_PNP, %di
	mov	$BOOT_SIGNATURE, %ax	/* as firmware leaves it */
	xor	%bx, %bx
	xor	%cx, %cx
	mov	$FIRST_DISK, %dx
	xor	%si, %si
	xor	%bp, %bp
	ljmp	$0, $BOOT_SECTOR

/* AH = status of INT 13h. */
fail_read:
	mov	%ah, %bl
	mov	$OFF(read_failed), %si
	call	print
	mov	%bl, %al
	shr	$4, %al
	call	print_digit
	mov	%bl, %al
	and	$15, %al
	call	print_digit
	mov	$OFF(read_remedy), %si
fail:
	call	print
3:	hlt
	jmp	3b

/* @si: offset of a text. Changes AX, CX, DX, SI. */
print:
	lodsb	%cs:(%si), %al
	test	%al, %al
	jz	5f
	call	print_char
	jmp	print
5:	ret

/* @al: 0 to 15. */
print_digit:
	add	$'0', %al
	cmp	$'9', %al
	jbe	print_char
	add	$'a' - '9' - 1, %al

print_char:
	pusha
	push	%ax
	mov	$0x0e, %ah		/* teletype */
	mov	$0x0007, %bx
	int	$0x10
	pop	%ax
	mov	%cs:DISK_STUB_COM1, %dx
	test	%dx, %dx
	jz	8f
	mov	%al, %ah
	add	$UART_LSR, %dx
	mov	$UART_PATIENCE, %cx
7:	in	%dx, %al
	test	$UART_LSR_THRE, %al
	loopz	7b
	sub	$UART_LSR, %dx
	mov	%ah, %al
	out	%al, %dx
8:	popa
	ret

no_disk:
	/* Cause (disk): no disk, or one without a BIOS driver (NVMe).
	 * Remedy: look for the disk in the firmware set-up. */
	.asciz	"guest=disk0: the BIOS of this machine knows no hard disk; attach one, or give a \"module2 /path/kernel\" line instead\r\n"
read_failed:
	/* Cause (disk): the disk fails (20h: controller, 80h: timeout, AAh: not ready).
	 * Remedy: check disk and cable. */
	.asciz	"guest=disk0: the BIOS cannot read the first sector of disk 80h (INT 13h status "
read_remedy:
	.asciz	"h); check the disk and its cable, or put another first in the firmware set-up\r\n"
no_signature:
	/* Cause (disk): the first disk is empty, or a data disk.
	 * Remedy: change the order of the disks. */
	.asciz	"guest=disk0: the first sector of disk 80h does not end with 55 AA, so nothing boots from it; put the right disk first in the firmware set-up\r\n"

/*
 * int15 - in front of the firmware's INT 15h: answers about memory are those of the partition.
 *
 * Works in real and virtual-8086 mode: it only reads its own segment, and the carry flag goes into
 * the FLAGS that IRET takes. What would describe memory in a way that we do not answer does not
 * exist here; everything else is the firmware's, with the registers and the frame untouched.
 */
int15:
	cmp	$0x4f00 + KEY_DEL, %ax
	je	key_del
	cmp	$0xe820, %ax
	je	e820
	cmp	$0xe801, %ax
	je	e801
	cmp	$0x88, %ah
	je	extended
	cmp	$0xe881, %ax		/* E801h with 32-bit registers */
	je	unsupported
	cmp	$0xda88, %ax		/* AMI: extended memory */
	je	unsupported
	cmp	$0x8a, %ah		/* Phoenix: extended memory */
	je	unsupported
	cmp	$0xc7, %ah		/* PS/2: memory map */
	je	unsupported
to_firmware:
	ljmpw	*%cs:DISK_STUB_OLD_INT15

/*
 * Keyboard intercept. At Ctrl-Alt-Del much firmware starts itself again without a reset; it would do
 * so in the partition, with its own vector table. So the machine is reset before it sees the key.
 */
key_del:
	push	%ds
	push	%ax
	xor	%ax, %ax
	mov	%ax, %ds
	mov	BDA_SHIFT, %al
	and	$SHIFT_CTRL_ALT, %al
	cmp	$SHIFT_CTRL_ALT, %al
	pop	%ax
	pop	%ds
	jne	to_firmware
	mov	$RESET_CONTROL, %dx
	mov	$RESET_COLD, %al
	out	%al, %dx
	mov	$RESET_NOW, %al
	out	%al, %dx
	mov	$KBC_RESET, %al
	out	%al, $KBC_COMMAND
1:	hlt
	jmp	1b

unsupported:
	mov	$NOT_SUPPORTED, %ah
return_carry:
	push	%bp
	mov	%sp, %bp
	orw	$FLAGS_CF, FRAME_FLAGS(%bp)
	pop	%bp
	iret

return_clear:
	push	%bp
	mov	%sp, %bp
	andw	$~FLAGS_CF, FRAME_FLAGS(%bp)
	pop	%bp
	iret

/* EBX = entry, ES:DI = buffer of ECX bytes. */
e820:
	cmp	$SMAP, %edx
	jne	unsupported
	cmp	$E820_BYTES, %ecx
	jb	unsupported
	cmp	%cs:DISK_STUB_MAP_COUNT, %ebx
	jae	unsupported
	push	%ds
	push	%si
	push	%di
	cmp	$DISK_MAP_ENTRY_BYTES, %ecx
	mov	$DISK_MAP_ENTRY_BYTES, %ecx
	jae	1f
	mov	$E820_BYTES, %cx
1:	mov	%cx, %ax
	imul	$DISK_MAP_ENTRY_BYTES, %bx, %si
	push	%cs
	pop	%ds
	add	DISK_STUB_MAP, %si
	cld
	rep movsb
	mov	%ax, %cx
	pop	%di
	pop	%si
	pop	%ds
	inc	%ebx
	cmp	%cs:DISK_STUB_MAP_COUNT, %ebx
	jb	2f
	xor	%ebx, %ebx		/* that was the last */
2:	mov	$SMAP, %eax
	jmp	return_clear

/* What the firmware says, but never more than there is for the guest. */
e801:
	pushf
	lcallw	*%cs:DISK_STUB_OLD_INT15
	jc	return_carry
	call	clip_ax
	xchg	%ax, %cx
	call	clip_ax
	xchg	%ax, %cx
	cmp	%cs:DISK_STUB_64K_FROM_16M, %bx
	jbe	1f
	mov	%cs:DISK_STUB_64K_FROM_16M, %bx
1:	cmp	%cs:DISK_STUB_64K_FROM_16M, %dx
	jbe	return_clear
	mov	%cs:DISK_STUB_64K_FROM_16M, %dx
	jmp	return_clear

extended:
	pushf
	lcallw	*%cs:DISK_STUB_OLD_INT15
	jc	return_carry
	call	clip_ax
	jmp	return_clear

clip_ax:
	cmp	%cs:DISK_STUB_KIB_FROM_1M, %ax
	jbe	1f
	mov	%cs:DISK_STUB_KIB_FROM_1M, %ax
1:	ret

/* int12 - firmware that does not take the answer from the BIOS data area, or a hook before us. */
int12:
	pushf
	lcallw	*%cs:DISK_STUB_OLD_INT12
	cmp	%cs:DISK_STUB_CONVENTIONAL, %ax
	jbe	1f
	mov	%cs:DISK_STUB_CONVENTIONAL, %ax
1:	iret

	.balign	8
disk_stub_end:

	.section .note.GNU-stack, "", @progbits
