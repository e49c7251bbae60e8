/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way from long mode to compatibility, 32-bit and real mode and back, and the code that tests
 * run there. Everything between low_start and low_end is copied to LOW_BASE: LA() gives the
 * address there, LO() the offset.
 */

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "tests/guest/lib/layout.h"

#define LO(x) ((x) - low_start)
#define LA(x) (LO(x) + LOW_BASE)
#define M16(off) (LOW_MAIL + (off))
#define M32(off) (LOW_BASE + LOW_MAIL + (off))
#define OUT16(n) M16(MAIL_OUT + 4 * (n))
#define OUT32(n) M32(MAIL_OUT + 4 * (n))
#define IN16(n)  M16(MAIL_IN + 4 * (n))
#define IN32(n)  M32(MAIL_IN + 4 * (n))

#define LOW_IDT32 0x6000

	.text
	.code64
	.globl mode_switch
mode_switch:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	mov	%rsp, M32(MAIL_RSP)
	mov	%cr3, %rax
	mov	%rax, M32(MAIL_CR3)
	push	$G_CODE32
	push	$LA(low32_entry)
	lretq

mode_return:
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	xor	%eax, %eax
	mov	%eax, %fs
	mov	%eax, %gs
	mov	M32(MAIL_RSP), %rsp
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret

	.section .rodata
	.balign 16
	.globl low_start
low_start:
	.code32
low32_entry:
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$(LOW_BASE + LOW_STACK_TOP), %esp
	cmpl	$MODE_COMPAT, M32(MAIL_KIND)
	jne	1f
	call	*M32(MAIL_TARGET)
	jmp	compat_back
1:	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	and	$~EFER_LME, %eax
	wrmsr
	cmpl	$MODE_REAL, M32(MAIL_KIND)
	je	low_to_real
	call	*M32(MAIL_TARGET)
	jmp	low32_back

low_to_real:
	lidt	LA(real_idt)
	mov	$G_DATA16, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%eax, %fs
	mov	%eax, %gs
	ljmp	$G_CODE16, $LO(low_to_real16)
	.code16
low_to_real16:
	mov	%cr0, %eax
	and	$~CR0_PE, %eax
	mov	%eax, %cr0
	xor	%eax, %eax
	cpuid				/* an exit with PE clear and a protected-mode CS */
	ljmp	$LOW_SEG, $LO(real_start)
real_start:
	mov	$LOW_SEG, %ax
	mov	%ax, %ds
	mov	%ax, %es
	mov	%ax, %ss
	mov	$LOW_STACK_TOP, %esp
	mov	M16(MAIL_TARGET), %ax
	call	*%ax
	cli
	mov	%cr0, %eax
	or	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	$G_CODE32, $LA(real_back)
	.code32
real_back:
	mov	$G_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$(LOW_BASE + LOW_STACK_TOP), %esp
low32_back:
	mov	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	M32(MAIL_CR3), %eax
	mov	%eax, %cr3
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	$0x80010033, %eax
	or	M32(MAIL_CR0_OR), %eax
	mov	%eax, %cr0
compat_back:
	ljmp	$G_CODE64, $mode_return

	.balign 4
real_idt:
	.word	0x3ff
	.long	0

/* --- real mode ------------------------------------------------------------------------------ */

	.code16
	/* ivt_set VECTOR, LABEL: ES = 0; keeps the old vector on the stack */
	.macro ivt_set vector, label
	pushl	%es:(\vector * 4)
	movw	$LO(\label), %es:(\vector * 4)
	movw	$LOW_SEG, %es:(\vector * 4 + 2)
	.endm
	.macro ivt_restore vector
	popl	%es:(\vector * 4)
	.endm

/*
 * rm_regs: out 0-3 CPUID.0, 4 CPUID.1 ECX, 5-6 IA32_APIC_BASE, 7 CR0 after setting and clearing CD,
 * 8 EAX of VMCALL in[0] when in[1] is set, 9 EFER.
 */
	.globl rm_regs
rm_regs:
	xor	%eax, %eax
	cpuid
	mov	%eax, OUT16(0)
	mov	%ebx, OUT16(1)
	mov	%ecx, OUT16(2)
	mov	%edx, OUT16(3)
	mov	$1, %eax
	cpuid
	mov	%ecx, OUT16(4)
	mov	$MSR_IA32_APIC_BASE, %ecx
	rdmsr
	mov	%eax, OUT16(5)
	mov	%edx, OUT16(6)
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	mov	%eax, OUT16(9)
	mov	%cr0, %eax
	or	$CR0_CD, %eax
	mov	%eax, %cr0
	wbinvd
	and	$~CR0_CD, %eax
	mov	%eax, %cr0
	mov	%cr0, %eax
	mov	%eax, OUT16(7)
	cmpl	$0, IN16(1)
	je	1f
	mov	IN16(0), %eax
	vmcall
	mov	%eax, OUT16(8)
1:	ret

/* rm_int: out 0 INT 61h seen, 1 its return IP ok, 2 #UD, 3 #DE, 4 #GP beyond the DS limit. */
	.globl rm_int
rm_int:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	0x61, rm_isr_int
	ivt_set	6, rm_isr_ud
	ivt_set	0, rm_isr_de
	ivt_set	13, rm_isr_gp
	int	$0x61
rm_int_next:
	ud2
	xor	%cx, %cx
	div	%cx			/* 2 bytes, skipped by its handler */
	mov	$0x10000, %ebx
	mov	(%ebx), %al		/* 67 8a 03: 3 bytes */
	ivt_restore 13
	ivt_restore 0
	ivt_restore 6
	ivt_restore 0x61
	pop	%es
	ret
rm_isr_int:
	incl	OUT16(0)
	push	%bp
	mov	%sp, %bp
	cmpw	$LO(rm_int_next), 2(%bp)
	sete	OUT16(1)
	pop	%bp
	iret
rm_isr_ud:
	incl	OUT16(2)
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	iret
rm_isr_de:
	incl	OUT16(3)
	push	%bp
	mov	%sp, %bp
	addw	$2, 2(%bp)
	pop	%bp
	iret
rm_isr_gp:
	incl	OUT16(4)
	push	%bp
	mov	%sp, %bp
	addw	$3, 2(%bp)
	pop	%bp
	iret

/* rm_irq, rm_hlt: vector 62h is pending; out 0 times taken, 1 its return IP is the expected one. */
	.globl rm_irq
rm_irq:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	0x62, rm_isr_irq
	movw	$LO(1f), OUT16(8)
	xor	%eax, %eax
	sti
	cpuid				/* still in the shadow of STI */
1:	nop
	cli
	ivt_restore 0x62
	pop	%es
	ret
	.globl rm_hlt
rm_hlt:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	0x62, rm_isr_irq
	movw	$LO(1f), OUT16(8)
	sti
	hlt
1:	cli
	ivt_restore 0x62
	pop	%es
	ret
rm_isr_irq:
	incl	%cs:OUT16(0)
	push	%bp
	push	%ax
	mov	%sp, %bp
	mov	4(%bp), %ax
	cmp	%cs:OUT16(8), %ax
	sete	%cs:OUT16(1)
	pop	%ax
	pop	%bp
	iret

/* rm_step: TF over CPUID, RDMSR and a NOP; out 0 number of #DB, 1.. their IP minus rm_step_0. */
	.globl rm_step
rm_step:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	1, rm_isr_db
	xor	%eax, %eax
	mov	$MSR_IA32_APIC_BASE, %ecx
	pushf
	pop	%dx
	or	$0x100, %dx
	push	%dx
	popf
rm_step_0:
	cpuid				/* #DB at +2 */
	mov	$MSR_IA32_APIC_BASE, %cl	/* +4 */
	nop				/* +5; the handler stops stepping at the third */
	nop
	ivt_restore 1
	pop	%es
	ret
rm_isr_db:
	push	%bp
	push	%bx
	push	%ax
	mov	%sp, %bp
	mov	OUT16(0), %bx
	inc	%bx
	mov	%bx, OUT16(0)
	mov	6(%bp), %ax
	sub	$LO(rm_step_0), %ax
	shl	$2, %bx
	mov	%ax, OUT16(0)(%bx)
	cmpw	$3, OUT16(0)
	jb	1f
	andw	$~0x100, 10(%bp)
1:	pop	%ax
	pop	%bx
	pop	%bp
	iret

/* rm_bios: out 0 INT 12h (KiB), 1 INT 10h AH=0Fh: columns * 256 + mode, 2 INT 11h. */
	.globl rm_bios
rm_bios:
	xor	%eax, %eax
	int	$0x12
	mov	%eax, OUT16(0)
	mov	$0x0f00, %eax
	int	$0x10
	mov	%eax, OUT16(1)
	xor	%eax, %eax
	int	$0x11
	mov	%eax, OUT16(2)
	ret

/* rm_unreal: DS with a 4-GiB limit kept from protected mode; out 0 the dword at in[0]. */
	.globl rm_unreal
rm_unreal:
	push	%ds
	mov	IN16(0), %ebx
	mov	%cr0, %eax
	or	$CR0_PE, %al
	mov	%eax, %cr0
	mov	$G_DATA, %cx
	mov	%cx, %ds
	and	$~CR0_PE, %al
	mov	%eax, %cr0
	mov	(%ebx), %edx
	xor	%eax, %eax
	push	%ebx
	push	%edx
	cpuid				/* an exit must keep the hidden limit */
	pop	%edx
	pop	%ebx
	mov	(%ebx), %ecx
	mov	%cr0, %eax		/* give the limit back: load in protected mode */
	or	$CR0_PE, %al
	mov	%eax, %cr0
	mov	$G_DATA16, %ax
	mov	%ax, %ds
	mov	%cr0, %eax
	and	$~CR0_PE, %al
	mov	%eax, %cr0
	pop	%ds
	mov	%edx, OUT16(0)
	mov	%ecx, OUT16(1)
	ret

/* rm_io: REP INSB from port in[0] (4 times) to ES:DI; out 0 bytes, 1 CX, 2 DI advance. */
	.globl rm_io
rm_io:
	mov	IN16(0), %dx
	mov	$OUT16(0), %di
	mov	$4, %cx
	cld
	rep	insb
	mov	%cx, OUT16(1)
	sub	$OUT16(0), %di
	mov	%di, OUT16(2)
	ret

/* rm_pic: one 8259 interrupt (vector in IVT entry 20h) wakes HLT; out 0 times taken. */
	.globl rm_pic
rm_pic:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	0x20, rm_isr_pic
	sti
	hlt
	cli
	ivt_restore 0x20
	pop	%es
	ret
rm_isr_pic:
	incl	%cs:OUT16(0)
	push	%ax
	mov	$0x20, %al
	out	%al, $0x20
	pop	%ax
	iret

/*
 * rm_try: the code in[0] to in[3], which ends with RET, with in[4] in EAX; out 0: 1 + the vector of
 * its exception, or 0; 1: EAX.
 */
	.globl rm_try
rm_try:
	push	%es
	xor	%ax, %ax
	mov	%ax, %es
	ivt_set	6, rm_try_ud
	ivt_set	13, rm_try_gp
	movl	$0, OUT16(0)
	mov	%sp, OUT16(8)
	mov	IN16(4), %eax
	mov	$M16(MAIL_IN), %bx
	mov	$IN16(0), %cx
	call	*%cx
rm_try_done:
	mov	%eax, OUT16(1)
	xor	%ax, %ax
	mov	%ax, %es
	ivt_restore 13
	ivt_restore 6
	pop	%es
	ret
rm_try_ud:
	movl	$1 + 6, %cs:OUT16(0)
	jmp	1f
rm_try_gp:
	movl	$1 + 13, %cs:OUT16(0)
1:	mov	%cs:OUT16(8), %sp
	jmp	rm_try_done

/* --- 32-bit protected mode -------------------------------------------------------------------- */

	.code32
/* pm_regs, cm_regs: as rm_regs, in 32-bit mode without paging and in compatibility mode. */
	.globl pm_regs
pm_regs:
	.globl cm_regs
cm_regs:
	xor	%eax, %eax
	cpuid
	mov	%eax, OUT32(0)
	mov	%ebx, OUT32(1)
	mov	%ecx, OUT32(2)
	mov	%edx, OUT32(3)
	mov	$1, %eax
	cpuid
	mov	%ecx, OUT32(4)
	mov	$MSR_IA32_APIC_BASE, %ecx
	rdmsr
	mov	%eax, OUT32(5)
	mov	%edx, OUT32(6)
	mov	$MSR_IA32_EFER, %ecx
	rdmsr
	mov	%eax, OUT32(9)
	mov	%cr0, %eax
	or	$CR0_CD, %eax
	mov	%eax, %cr0
	wbinvd
	and	$~CR0_CD, %eax
	mov	%eax, %cr0
	mov	%cr0, %eax
	mov	%eax, OUT32(7)
	cmpl	$0, IN32(1)
	je	1f
	mov	IN32(0), %eax
	mov	$0x11111111, %ebx
	mov	$0x22222222, %ecx
	mov	$0x33333333, %edx
	mov	$0x44444444, %esi
	vmcall
	mov	%eax, OUT32(8)
	mov	%ebx, OUT32(10)
	mov	%ecx, OUT32(11)
	mov	%edx, OUT32(12)
	mov	%esi, OUT32(13)
1:	ret
	.globl pm_nop
pm_nop:
	ret

/* pm_idt_load: a 32-bit IDT with the few gates the tests use. */
pm_idt_load:
	mov	$(LOW_BASE + LOW_IDT32), %edi
	mov	$512, %ecx
	xor	%eax, %eax
	cld
	rep	stosl
	lea	LA(pm_isr_irq), %edx
	mov	$0x62, %ebx
	call	pm_gate
	lea	LA(pm_isr_ud), %edx
	mov	$6, %ebx
	call	pm_gate
	lea	LA(pm_isr_pf), %edx
	mov	$14, %ebx
	call	pm_gate
	lea	LA(pm_isr_pf), %edx
	mov	$13, %ebx
	call	pm_gate
	lidt	LA(pm_idt)
	ret
/* pm_gate: EBX vector, EDX handler address */
pm_gate:
	lea	LOW_BASE + LOW_IDT32(,%ebx,8), %edi
	mov	%dx, (%edi)
	movw	$G_CODE32, 2(%edi)
	movw	$0x8e00, 4(%edi)
	shr	$16, %edx
	mov	%dx, 6(%edi)
	ret
	.balign 4
pm_idt:
	.word	0x7ff
	.long	LOW_BASE + LOW_IDT32

/* pm_int: vector 62h is pending; out 0 #UD taken, 1 IRQ taken, 2 its EIP was behind the CPUID. */
	.globl pm_int
pm_int:
	call	pm_idt_load
	ud2
	xor	%eax, %eax
	sti
	cpuid
pm_int_1:
	nop
	cli
	ret
pm_isr_ud:
	incl	OUT32(0)
	addl	$2, (%esp)
	iret
pm_isr_irq:
	incl	OUT32(1)
	cmpl	$LA(pm_int_1), (%esp)
	sete	OUT32(2)
	iret
pm_isr_pf:
	incl	OUT32(16)
	push	%eax
	mov	%cr2, %eax
	mov	%eax, OUT32(17)
	pop	%eax
	add	$4, %esp
	mov	OUT32(18), %eax
	mov	%eax, (%esp)
	mov	$0xfa171717, %eax
	iret

/*
 * pm_pae: PAE paging by the PDPT at in[0] whose entry 1 maps GiB 0 again; CR0 bits in[1] change in
 * the same write as PG. in[2], in[3]: the present entry's low half.
 * out 0: dword at 1 GiB + in[4]. Then entry 1 is cleared and entry 2 set in memory:
 * out 1: dword at 1 GiB + in[4] again (the registers still hold the old entry);
 * then CR0.CD is flipped, which reloads the registers: out 2: at 2 GiB + in[4]; out 3: at 1 GiB
 * (0xfa171717: #PF). out 4: CR0.
 */
	.globl pm_pae
pm_pae:
	call	pm_idt_load
	mov	IN32(0), %esi
	mov	%esi, %cr3
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	%cr0, %eax
	or	$0x80000000, %eax
	xor	IN32(1), %eax
	mov	%eax, %cr0
	mov	IN32(4), %ebx
	movl	$LA(1f), OUT32(18)
	mov	0x40000000(%ebx), %eax
1:	mov	%eax, OUT32(0)
	mov	IN32(2), %ecx
	movl	$0, 8(%esi)
	mov	%ecx, 16(%esi)
	movl	$LA(1f), OUT32(18)
	mov	0x40000000(%ebx), %eax
1:	mov	%eax, OUT32(1)
	mov	%cr0, %eax
	xor	$CR0_CD, %eax
	mov	%eax, %cr0
	movl	$LA(1f), OUT32(18)
	mov	0x80000000(%ebx), %eax
1:	mov	%eax, OUT32(2)
	movl	$LA(1f), OUT32(18)
	mov	0x40000000(%ebx), %eax
1:	mov	%eax, OUT32(3)
	mov	%cr0, %eax
	mov	%eax, OUT32(4)
	and	$0x1fffffff, %eax
	mov	%eax, %cr0
	ret

/* pm_pse: 32-bit paging with 4-MiB pages by the directory at in[0]; out 0: dword at in[1]. */
	.globl pm_pse
pm_pse:
	mov	$CR4_PSE, %eax
	mov	%eax, %cr4
	mov	IN32(0), %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	mov	IN32(1), %ebx
	mov	(%ebx), %eax
	mov	%eax, OUT32(0)
	xor	%eax, %eax
	cpuid
	mov	%ebx, OUT32(1)
	mov	%cr0, %eax
	and	$0x7fffffff, %eax
	mov	%eax, %cr0
	ret

/*
 * rm_triple, pm_triple, pm16_triple, pae_triple, pse_triple, cm_triple: without an IDT the next
 * exception is a triple fault, in real mode, 32-bit and 16-bit protected mode, with PAE and 32-bit
 * paging by the tables at in[0], in compatibility mode.
 */
	.code16
	.globl rm_triple
rm_triple:
	lidt	LO(no_idt)
	int3
	ud2

	.code32
	.globl pm_triple
pm_triple:
	.globl cm_triple
cm_triple:
	lidt	LA(no_idt)
	ud2
	.globl pse_triple
pse_triple:
	mov	$CR4_PSE, %eax
	jmp	1f
	.globl pae_triple
pae_triple:
	mov	$CR4_PAE, %eax
1:	mov	%eax, %cr4
	mov	IN32(0), %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$0x80000000, %eax
	mov	%eax, %cr0
	jmp	pm_triple
	.globl pm16_triple
pm16_triple:
	mov	$G_DATA16, %eax
	mov	%eax, %ds
	ljmp	$G_CODE16, $LO(1f)
	.code16
1:	jmp	rm_triple
	.balign 4
no_idt:
	.word	0
	.long	0
	.code32
	.globl low_end
low_end:

	.section .note.GNU-stack, "", @progbits
