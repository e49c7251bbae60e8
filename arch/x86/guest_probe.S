/* SPDX-License-Identifier: BSD-2-Clause */
/* A throw-away guest and the way into it and back: unlike vmx_run() a function that returns. */
#include "arch/x86/defs/vmcs.h"

	.text

/*
 * bool guest_probe_enter(u64 regs[2], bool launched);
 *
 *   in        rdi = regs; esi = launched
 *   out       al = 1: the guest ran; 0: VMfail
 *   stack     HOST_RSP points at [0], the saved regs pointer
 *   needs     IF = 0, a VMCS whose host state is vmcs_create()'s
 *   spec      SDM Vol. 3C "VM Entries", "Conventions" (VMfail flags)
 */
	.globl	guest_probe_enter
	.type	guest_probe_enter, @function
guest_probe_enter:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdi			/* [0] */
	mov	$VMCS_HOST_RSP, %eax
	vmwrite	%rsp, %rax
	jbe	.Lfailed
	mov	$VMCS_HOST_RIP, %eax
	mov	$.Lexit, %rdx
	vmwrite	%rdx, %rax
	jbe	.Lfailed
	test	%esi, %esi		/* ZF survives the MOVs below */
	mov	(%rdi), %rax
	mov	8(%rdi), %rbx
	jz	.Llaunch
	vmresume
	jmp	.Lfailed
.Llaunch:
	vmlaunch
.Lfailed:
	xor	%eax, %eax
	jmp	.Lout
.Lexit:					/* all registers but RSP are the guest's */
	mov	(%rsp), %rdi
	mov	%rax, (%rdi)
	mov	%rbx, 8(%rdi)
	mov	$1, %eax
.Lout:
	pop	%rdi
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	int3

	.section .rodata.guest_probe, "a"
	.code32
	.globl	guest_probe_code, guest_probe_end
	.globl	guest_probe_cpuid, guest_probe_read, guest_probe_write, guest_probe_jump
	.globl	guest_probe_spin, guest_probe_nops
guest_probe_code:
guest_probe_cpuid:
	cpuid
guest_probe_read:
	mov	(%ebx), %eax
	vmcall
guest_probe_write:
	mov	%eax, (%ebx)
	vmcall
guest_probe_jump:
	jmp	*%ebx
guest_probe_spin:
	pause
	jmp	guest_probe_spin
guest_probe_nops:
	nop
	nop
	vmcall
guest_probe_end:
	.code64

	.section .note.GNU-stack, "", @progbits
