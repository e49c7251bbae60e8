/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two processes keep values of their own in the vector registers and give the CPU to each other:
 * what the kernel saves and restores by the XSAVE that CPUID offers must come back. Prints one line,
 * "vectors: " and how many of SWITCHES were checked in how wide registers, or what was lost.
 */
#define SYS_WRITE       1
#define SYS_SCHED_YIELD 24
#define SYS_GETPID      39
#define SYS_FORK        57
#define SYS_EXIT        60
#define SYS_WAIT4       61

#define SWITCHES 4000

	.macro	say text
	mov	$SYS_WRITE, %eax
	mov	$1, %edi
	lea	\text(%rip), %rsi
	mov	$\text\()_end - \text, %edx
	syscall
	.endm

	.macro	text name, string:vararg
\name:	.ascii	\string
\name\()_end:
	.endm

	.data
	.balign	64
wanted:	.skip	16 * 64
found:	.skip	64
wide:	.byte	0			/* AVX-512 state is enabled */
	.section .rodata
text	none, "vectors: no AVX\n"
text	fine, "vectors: 2 x 4000 switches, YMM kept\n"
text	fine512, "vectors: 2 x 4000 switches, ZMM and masks kept\n"
text	lost, "vectors: LOST a register over a switch\n"

	.text
	.globl _start
_start:
	mov	$1, %eax
	cpuid
	not	%ecx
	test	$(1 << 27 | 1 << 28), %ecx	/* OSXSAVE, AVX */
	jnz	no_avx
	xor	%ecx, %ecx
	xgetbv
	and	$0xe6, %eax
	cmp	$0xe6, %eax
	sete	wide(%rip)

	mov	$SYS_FORK, %eax
	syscall
	mov	%eax, %ebp		/* 0: the child */
	mov	$SYS_GETPID, %eax
	syscall
	imul	$0x01010101, %eax, %eax
	lea	wanted(%rip), %rdi
	mov	$16 * 64 / 4, %ecx
1:	add	$0x9e3779b1, %eax	/* any step: all words differ */
	mov	%eax, (%rdi)
	add	$4, %rdi
	loop	1b

	lea	wanted(%rip), %rbx
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13
	vmovups	\n * 64(%rbx), %ymm\n
	.endr
	cmpb	$0, wide(%rip)
	je	2f
	vmovups	14 * 64(%rbx), %zmm20
	kmovw	15 * 64(%rbx), %k3
2:	mov	$SWITCHES, %r12d
again:	mov	$SYS_SCHED_YIELD, %eax
	syscall
	.irp	n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13
	vmovups	\n * 64(%rbx), %ymm15
	vxorps	%ymm15, %ymm\n, %ymm15
	vptest	%ymm15, %ymm15
	jnz	bad
	.endr
	cmpb	$0, wide(%rip)
	je	3f
	vmovups	%zmm20, found(%rip)
	lea	found(%rip), %rsi
	lea	14 * 64(%rbx), %rdi
	mov	$8, %ecx
	repe cmpsq
	jne	bad
	kmovw	%k3, %eax
	cmp	15 * 64(%rbx), %ax
	jne	bad
3:	dec	%r12d
	jnz	again

	test	%ebp, %ebp
	jz	leave
	xor	%r12d, %r12d
	sub	$16, %rsp		/* the child's status */
	mov	%ebp, %edi
	mov	%rsp, %rsi
	xor	%edx, %edx
	xor	%r10d, %r10d
	mov	$SYS_WAIT4, %eax
	syscall
	cmpl	$0, (%rsp)
	jne	leave_bad		/* the child said why, or crashed */
	cmpb	$0, wide(%rip)
	jne	4f
	say	fine
	jmp	leave
4:	say	fine512
leave:	mov	%r12d, %edi
	mov	$SYS_EXIT, %eax
	syscall
no_avx:	say	none
	mov	$2, %r12d
	jmp	leave
bad:	say	lost
leave_bad:
	mov	$1, %r12d
	jmp	leave
