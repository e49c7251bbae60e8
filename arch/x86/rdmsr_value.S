/* SPDX-License-Identifier: BSD-2-Clause */
/* The short exit: RDMSR of a register that has a value whatever the state of the VP is. */
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/mitigation_site.inc"
#include "build/asm_offsets.h"

/*
 * rdmsr_value - answer an RDMSR exit here, if it is that simple; else go on at vmexit_general.
 *
 *   in      rdi = vp, rsi = no pointer, rdx = exit reason; rcx, rbx, rbp, r12-r15 = the guest's;
 *           vp->regs is complete, the stack is the host's
 *   does    what exit_dispatch(), exit_rdmsr() and exit_complete() do for a row of the MSR table
 *           with .get, in half of their instructions: no other way to retire is possible, nothing
 *           can fail, and the callee-saved registers need no reloading, since the value function
 *           preserves them
 *   order   everything that needs the general path is found before anything changes
 *   needs   the VP's own context: a HOST_RIP that leads here belongs to VMCSs whose RDMSR exits
 *           all mean the MSR table
 *   spec    SDM Vol. 3C "VM-Exit Instruction-Length", exit_retire() in core/exit/exit.c
 */
	.section .text.vmenter.short, "ax"

	.globl	rdmsr_value
	.type	rdmsr_value, @function
rdmsr_value:
	imul	$MSR_HASH_FACTOR, %ecx, %r9d
	shr	$MSR_HASH_DROPPED, %r9d
	cmp	%ecx, msr_values(,%r9,4)
	jne	vmexit_general
	rdtsc
	shl	$32, %rdx
	or	%rdx, %rax
	cmp	VP_REARM(%rdi), %rax
	jae	.Lgeneral		/* the timer must be armed */
	mov	$VMCS_GUEST_RFLAGS, %eax
	vmread	%rax, %rax
	test	$(RFLAGS_TF_AND_RF), %eax
	jne	.Lgeneral
	mov	$VMCS_GUEST_INTERRUPTIBILITY, %eax
	vmread	%rax, %rax
	test	$SHADOWS_THAT_END, %al
	jne	.Lgeneral
	mov	$VMCS_GUEST_RIP, %r8d
	vmread	%r8, %rdx
	cmp	$0xfffffff0, %edx	/* EIP may wrap */
	ja	.Lgeneral

	mov	$VMCS_VM_EXIT_INSTRUCTION_LENGTH, %eax
	vmread	%rax, %rax
	add	%rax, %rdx
	vmwrite	%rdx, %r8
	incq	VP_EXITS_RDMSR(%rdi)
	mov	(msr_values + MSR_VALUE_FN)(,%r9,8), %rax
	call	__x86_indirect_thunk_rax
	mov	%gs:PERCPU_VP, %rdi
	mov	%rax, %rdx
	shr	$32, %rdx
	mov	%eax, %eax
	mov	%rax, VP_RAX(%rdi)
	mov	%rdx, VP_RDX(%rdi)

/* A restartable window of its own (rule K1): vmenter_abort loads all of vp->regs. */
	.globl	rdmsr_window_start
rdmsr_window_start:
	cmpl	$0, VP_WORK(%rdi)
	jne	vmenter_abort
	mov	VP_RCX(%rdi), %rcx
	mov	VP_RSI(%rdi), %rsi
	mov	VP_R8(%rdi), %r8
	mov	VP_R9(%rdi), %r9
	mov	VP_R10(%rdi), %r10
	mov	VP_R11(%rdi), %r11
	mov	VP_RDI(%rdi), %rdi
	MITIGATION_SITE rdmsr_verw
	.globl	rdmsr_resume		/* where a detour comes back */
rdmsr_resume:
	vmresume
	jmp	vmenter_failed
	.globl	rdmsr_window_end
rdmsr_window_end:

.Lgeneral:
	mov	$EXIT_REASON_RDMSR, %edx
	jmp	vmexit_general

	.section .note.GNU-stack, "", @progbits
