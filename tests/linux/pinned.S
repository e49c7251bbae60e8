/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole user space of the SMP benchmark, started as rdinit=: one process per CPU, pinned, with a
 * fixed amount of work each: arithmetic, memory and system calls. PARTS times the same between two
 * Bochs magic breakpoints, where the debugger reads its counters: whatever else the kernel does once
 * is in one part only. Then the machine is powered off.
 */
#define SYS_SCHED_YIELD       24
#define SYS_GETPPID           110
#define SYS_FORK              57
#define SYS_EXIT              60
#define SYS_WAIT4             61
#define SYS_REBOOT            169
#define SYS_SCHED_SETAFFINITY 203
#define MAGIC1                0xfee1dead
#define MAGIC2                672274793
#define CMD_POWER_OFF         0x4321fedc

#define CPUS   4
#define PARTS  5
#define ROUNDS 700		/* of 50 000 instructions and one system call */

	.bss
	.balign	4096
buffer:	.skip	65536

	.data
mask:	.quad	0

	.text
	.globl _start
_start:
	mov	$PARTS, %ebp
part:	xchg	%bx, %bx
	xor	%ebx, %ebx
1:	mov	$SYS_FORK, %eax
	syscall
	test	%eax, %eax
	jz	child
	inc	%ebx
	cmp	$CPUS, %ebx
	jne	1b
2:	mov	$-1, %edi
	xor	%esi, %esi
	xor	%edx, %edx
	xor	%r10d, %r10d
	mov	$SYS_WAIT4, %eax
	syscall
	test	%rax, %rax
	jg	2b
	dec	%ebp
	jnz	part
	xchg	%bx, %bx
	mov	$SYS_REBOOT, %eax
	mov	$MAGIC1, %edi
	mov	$MAGIC2, %esi
	mov	$CMD_POWER_OFF, %edx
	syscall
3:	pause
	jmp	3b

child:	mov	%ebx, %ecx
	mov	$1, %eax
	shl	%cl, %eax
	mov	%rax, mask(%rip)
	mov	$SYS_SCHED_SETAFFINITY, %eax
	xor	%edi, %edi
	mov	$8, %esi
	lea	mask(%rip), %rdx
	syscall
	test	%rax, %rax
	js	5f			/* fewer CPUs: seen in the counters */
	mov	$ROUNDS, %r12d
4:	mov	$8333, %ecx		/* six instructions each */
	lea	buffer(%rip), %rsi
6:	mov	%ecx, %eax
	and	$0x1fff, %eax
	add	%rcx, (%rsi,%rax,8)
	imul	%rax, %rdx
	dec	%ecx
	jnz	6b
	mov	$SYS_GETPPID, %eax
	syscall
	dec	%r12d
	jnz	4b
5:	xor	%edi, %edi
	mov	$SYS_EXIT, %eax
	syscall
