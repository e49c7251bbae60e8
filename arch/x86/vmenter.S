/* SPDX-License-Identifier: BSD-2-Clause */
/* VM entry and exit: the only path between the hypervisor and the guest. */
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/mitigation_site.inc"
#include "build/asm_offsets.h"

/* Guest registers in the order of struct gpr_regs; RSP is in the VMCS. */
.macro LOAD_GUEST_REGS
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
.endm

.macro SAVE_GUEST_REGS
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
.endm

	.section .text.vmenter.window, "ax"

/*
 * noreturn void vmx_run(struct vp *vp);
 *
 * Enter the guest and handle its exits for ever.
 *
 *   in      rdi = vp, whose VMCS is current and whose HOST_RSP is the end of vp->regs
 *   needs   IF = 0, gs base = this CPU's block, vp->host_stack_top = a stack with a guard page
 *   spec    SDM Vol. 3C "VM Entries", "Conventions" (VMfail flags)
 *
 * The code between vmenter_window_start and vmenter_window_end is restartable (rule K1): from the
 * pending-work check to VMRESUME it changes nothing but registers, and every register is loaded again
 * from vp. An NMI in root that interrupts it sets RIP to vmenter_abort, so work that the NMI's sender
 * posted is seen before the guest runs. The registers are loaded with POP from struct vp itself; an
 * NMI meanwhile switches to its IST stack and does not write below RSP.
 */
	.globl	vmx_run
	.type	vmx_run, @function
vmx_run:
	mov	%rdi, %rbx
	mov	VP_HOST_STACK(%rbx), %rsp
	jmp	vmenter_window_start

/*
 * HOST_RIP: every VM exit arrives here.
 *
 *   in      rsp = end of vp->regs (HOST_RSP); all other registers are the guest's
 *   rbx     = vp until the next entry: C code preserves it, so it costs nothing
 */
	.globl	vmx_exit_entry
	.type	vmx_exit_entry, @function
vmx_exit_entry:
	SAVE_GUEST_REGS
	mov	%rsp, %rdi
	mov	VP_HOST_STACK(%rdi), %rsp
.Lsaved:				/* rdi = vp; rcx, rbx, rbp, r12-r15 = the guest's */
	mov	$VMCS_EXIT_REASON, %esi	/* also the argument that means nothing */
	vmread	%rsi, %rdx
	cmp	$EXIT_REASON_RDMSR, %edx	/* SPEED(short-rdmsr) */
	je	rdmsr_value
	.globl	vmexit_general
vmexit_general:				/* rdi = vp, rsi = no pointer, rdx = exit reason */
	mov	%rdi, %rbx
	call	exit_dispatch
	mov	%rbx, %rdi
	test	%eax, %eax		/* enum exit_action */
	jne	.Lnot_next
	call	exit_next

	.globl	vmenter_window_start
vmenter_window_start:
	cmpl	$0, VP_WORK(%rbx)
	jne	.Lwork
	mov	%rbx, %rsp		/* regs is at offset 0 of struct vp */
	LOAD_GUEST_REGS
	MITIGATION_SITE vmenter_verw_resume
	.globl	vmenter_resume		/* where a detour comes back */
vmenter_resume:
	vmresume
	jmp	vmenter_failed
.Llaunch:
	cmpl	$VP_WORK_LAUNCH, VP_WORK(%rbx)	/* stays set until the first exit: nothing else */
	jne	.Lwork
	mov	%rbx, %rsp
	LOAD_GUEST_REGS
	MITIGATION_SITE vmenter_verw_launch
	vmlaunch
	jmp	vmenter_failed

/* The linker script puts detours (patch.c) here: they belong to the window. */

	.section .text.vmenter, "ax"
	.globl	vmenter_window_end
vmenter_window_end:

	.globl	vmenter_failed
vmenter_failed:				/* CF or ZF: VMfail; guest registers are live */
	mov	%gs:PERCPU_VP, %rdi
	mov	VP_HOST_STACK(%rdi), %rsp
	call	vp_entry_failed

.Lnot_next:				/* rdi = rbx = vp, eax = action */
	cmp	$EXIT_RESUME, %eax
	jne	.Lcomplete
	call	exit_resume
	jmp	vmenter_window_start
.Lcomplete:
	mov	%eax, %esi
	call	exit_complete
	jmp	vmenter_window_start

	.globl	vmenter_abort
vmenter_abort:
	mov	%gs:PERCPU_VP, %rbx
	mov	VP_HOST_STACK(%rbx), %rsp
.Lwork:
	mov	%rbx, %rdi
	call	vp_prepare_entry	/* al = 1: the entry must be a VMLAUNCH */
	test	%al, %al
	jz	vmenter_window_start
	mov	$VMCS_HOST_RIP, %eax
	mov	$vmx_first_exit_entry, %rcx
	vmwrite	%rcx, %rax
	jmp	.Llaunch

/*
 * Before the first return, where the CPU needs it (rule P4): refill the return stack buffer. The
 * guest's registers are saved first: the CALLs push.
 */
.macro FILL_RETURN_STACK
	.rept	32
	call	1f
	int3
1:
	.endr
	add	$(32 * 8), %rsp
	lfence
.endm

/* HOST_RIP of every VMLAUNCH; its first exit changes to VMRESUME. Seldom, so it refills the return
 * stack whether or not this CPU needs that. */
	.globl	vmx_first_exit_entry
	.type	vmx_first_exit_entry, @function
vmx_first_exit_entry:
	SAVE_GUEST_REGS
	mov	%rsp, %rbx
	mov	VP_HOST_STACK(%rbx), %rsp
	FILL_RETURN_STACK
	mov	%rbx, %rdi
	call	vmcs_launched
	mov	%rbx, %rdi
	mov	$VMCS_EXIT_REASON, %esi
	vmread	%rsi, %rdx
	jmp	vmexit_general		/* not .Lsaved: rbx is not the guest's any more */

/* HOST_RIP with MITIGATION_RSB_FILL. */
	.globl	vmx_exit_entry_mitigated
	.type	vmx_exit_entry_mitigated, @function
vmx_exit_entry_mitigated:
	SAVE_GUEST_REGS
	mov	%rsp, %rdi
	mov	VP_HOST_STACK(%rdi), %rsp
	FILL_RETURN_STACK
	jmp	.Lsaved

/*
 * HOST_RIP when trace= names exits: the usual path between two records; trace_entry() does pending
 * work, too. It has a HOST_RIP of its own, so that tracing costs nothing when it is off.
 */
	.globl	vmx_exit_entry_traced
	.type	vmx_exit_entry_traced, @function
vmx_exit_entry_traced:
	SAVE_GUEST_REGS
	mov	%rsp, %rbx
	mov	VP_HOST_STACK(%rbx), %rsp
	FILL_RETURN_STACK
	mov	%rbx, %rdi
	call	trace_exit
	mov	%rbx, %rdi
	mov	$VMCS_EXIT_REASON, %esi
	vmread	%rsi, %rdx
	call	exit_dispatch
	mov	%eax, %esi
	mov	%rbx, %rdi
	call	exit_complete
	mov	%rbx, %rdi
	call	trace_entry
	jmp	vmenter_window_start

	.section .rodata.vmenter, "a"
	.globl	vmenter_verw_selector	/* VERW wants any readable data selector */
vmenter_verw_selector:
	.short	0x10

	.section .note.GNU-stack, "", @progbits
