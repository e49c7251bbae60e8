/* SPDX-License-Identifier: BSD-2-Clause */
/* The start of a program, its system calls and threads: see sys.h. */
#define SYS_CLONE      56
#define SYS_EXIT       60
#define SYS_EXIT_GROUP 231

/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
#define THREAD_FLAGS   0x50f00

	.text
	.globl _start
_start:
	mov	(%rsp), %edi
	lea	8(%rsp), %rsi
	and	$-16, %rsp
	call	test_main
	mov	%eax, %edi
	mov	$SYS_EXIT_GROUP, %eax
	syscall

	.globl sys6
sys6:
	mov	%rdi, %rax
	mov	%rsi, %rdi
	mov	%rdx, %rsi
	mov	%rcx, %rdx
	mov	%r8, %r10
	mov	%r9, %r8
	mov	8(%rsp), %r9
	syscall
	ret

/* The new stack begins with what the thread is to do. */
	.globl sys_thread
sys_thread:
	sub	$16, %rdx
	mov	%rdi, (%rdx)
	mov	%rsi, 8(%rdx)
	mov	%rdx, %rsi
	mov	$THREAD_FLAGS, %edi
	xor	%edx, %edx
	xor	%r10d, %r10d
	xor	%r8d, %r8d
	mov	$SYS_CLONE, %eax
	syscall
	test	%rax, %rax
	jz	1f
	ret
1:	pop	%rax
	pop	%rdi
	call	*%rax
	xor	%edi, %edi
	mov	$SYS_EXIT, %eax
	syscall
