/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sector 0 of the test disk, and what C cannot do in 16-bit code: BIOS calls with every register,
 * protected and virtual-8086 mode. CS = DS = ES = SS = 0 in C; calls have 32-bit frames (gcc -m16).
 */
#define STACK		0x7c00
#define V86_STACK	0x6c00
#define PM_STACK	0x6800

#define SEL_CODE32	0x08
#define SEL_DATA32	0x10
#define SEL_CODE16	0x18
#define SEL_DATA16	0x20
#define SEL_TSS		0x28

#define EFLAGS_V86	0x00023002	/* VM, IOPL 3 */
#define VEC_END		0xfe		/* ends the virtual-8086 program */

	.code16
	.section .boot, "ax", @progbits
	.globl	boot_sector
boot_sector:
	movl	%eax, %cs:at_entry
	movl	%edx, %cs:at_entry + 4
	movw	%es, %cs:at_entry + 8
	movw	%di, %cs:at_entry + 10
	movw	%ss, %cs:at_entry + 12
	movw	%sp, %cs:at_entry + 14
	pushfl
	popl	%eax
	movl	%eax, %cs:at_entry + 16
	movw	%cs, %cs:at_entry + 20
	ljmp	$0, $1f
1:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$STACK, %esp
	cld
	movw	$packet, %si
	movb	$0x42, %ah		/* extended read */
	int	$0x13
	jc	2f
	movw	$image_end, %di
	movw	$bss_end, %cx
	subw	%di, %cx
	xorw	%ax, %ax
	rep stosb
	calll	disk_main
2:	cli
	hlt
	jmp	2b

	.balign	4
	.globl	at_entry
at_entry:
	.skip	24
packet:
	.byte	16, 0
	.short	image_sectors
	.short	0x7e00, 0
	.quad	1
	.org	boot_sector + 508
	.globl	ends_by_reset
ends_by_reset:				/* tests/run/disk.py sets it */
	.byte	0, 0
	.short	0xaa55

	.text
/*
 * void bios_call(u32 number, struct bios_regs *r): INT @number with the registers in *r, which gets
 * those afterwards. The structure is what POPAL and friends take from the stack.
 */
	.globl	bios_call
bios_call:
	pushfl
	pushal
	movb	40(%esp), %al
	movb	%al, 1f + 1
	movl	44(%esp), %esi
	pushl	%esi
	subl	$40, %esp
	movl	%esp, %edi
	movl	$10, %ecx
	cld
	rep movsl
	popw	%es
	popw	%ds
	popal
	popfl
1:	int	$0
	pushfl
	pushal
	pushw	%ds
	pushw	%es
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movl	40(%esp), %edi
	movl	%esp, %esi
	movl	$10, %ecx
	cld
	rep movsl
	addl	$44, %esp
	popal
	popfl
	retl

/*
 * u32 high_memory(u32 address, u32 value): writes *address in protected mode and, back in real mode,
 * reads it through FS, whose limit is still 4 GiB.
 */
	.globl	high_memory
high_memory:
	pushfl
	cli
	lgdtl	gdt_ptr
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$SEL_CODE32, $1f
	.code32
1:	movw	$SEL_DATA32, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	%ax, %fs
	movl	8(%esp), %ecx
	movl	12(%esp), %edx
	movl	%edx, (%ecx)
	ljmp	$SEL_CODE16, $leave_protected
	.code16
leave_protected:
	movw	$SEL_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	%cr0, %eax
	andb	$~1, %al
	movl	%eax, %cr0
	ljmp	$0, $2f
2:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movw	%ax, %fs		/* the limit stays */
	movl	8(%esp), %ecx
	movl	%fs:(%ecx), %eax
	popfl
	retl

/*
 * void v86_call(u32 number, struct bios_regs *r): bios_call() in virtual-8086 mode with CR4.VME: an
 * INT goes to the vector table of real mode, except VEC_END.
 */
	.globl	v86_call
v86_call:
	pushfl
	pushal
	cli
	movl	40(%esp), %eax
	movl	%eax, v86_number
	movl	44(%esp), %eax
	movl	%eax, v86_regs
	movl	%esp, v86_caller
	lgdtl	gdt_ptr
	lidtl	idt_ptr
	movl	%cr4, %eax
	orb	$1, %al			/* VME */
	movl	%eax, %cr4
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmp	$SEL_CODE32, $1f
	.code32
1:	movw	$SEL_DATA32, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	$PM_STACK, %esp
	movw	$SEL_TSS, %ax
	ltr	%ax
	xorl	%eax, %eax
	pushl	%eax			/* GS, FS, DS, ES, SS */
	pushl	%eax
	pushl	%eax
	pushl	%eax
	pushl	%eax
	pushl	$V86_STACK
	pushl	$EFLAGS_V86
	pushl	%eax			/* CS */
	pushl	$v86_program
	iretl

/* The gate of VEC_END. */
v86_end:
	movw	$SEL_DATA32, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	andb	$~2, tss_descriptor + 5	/* not busy: for the next time */
	ljmp	$SEL_CODE16, $1f
	.code16
1:	movw	$SEL_DATA16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	%cr4, %eax
	andb	$~1, %al
	movl	%eax, %cr4
	movl	%cr0, %eax
	andb	$~1, %al
	movl	%eax, %cr0
	ljmp	$0, $2f
2:	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	movl	v86_caller, %esp
	lidtl	real_idt_ptr
	popal
	popfl
	retl

v86_program:
	pushl	v86_regs
	pushl	v86_number
	calll	bios_call
	int	$VEC_END

	.data
	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
	.quad	0x00009a000000ffff
	.quad	0x000092000000ffff
tss_descriptor:
	.short	tss_end - tss - 1
	.short	tss
	.byte	0, 0x89, 0, 0
gdt_ptr:
	.short	gdt_ptr - gdt - 1
	.long	gdt
idt_ptr:
	.short	256 * 8 - 1
	.long	idt
real_idt_ptr:
	.short	0x3ff
	.long	0
	.balign	8
idt:
	.skip	VEC_END * 8
	.short	v86_end, SEL_CODE32, 0xee00, 0	/* 32-bit interrupt gate, DPL 3 */
	.quad	0

	.balign	4
tss:
	.long	0
	.long	PM_STACK		/* ESP0, SS0 */
	.long	SEL_DATA32
	.skip	0x66 - 12
	.short	io_bitmap - tss
	.skip	VEC_END / 8		/* interrupt redirection: 0 is the vector table of real mode */
	.byte	1 << (VEC_END % 8)
io_bitmap:
	.skip	8192			/* every port */
	.byte	0xff
tss_end:

	.bss
	.balign	4
v86_number:
	.long	0
v86_regs:
	.long	0
v86_caller:
	.long	0

	.section .note.GNU-stack, "", @progbits
