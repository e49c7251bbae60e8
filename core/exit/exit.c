/* SPDX-License-Identifier: BSD-2-Clause */
/* The exit table and its dispatcher. Only this file retires guest instructions. Pure. */
#include "core/exit/exit.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"
#include "core/task/task.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

#define STOP(text)                                  \
	{                                           \
		exit_stop, 0, EXIT_CLASS_STOP, text \
	}
#define UD(text)                                \
	{                                       \
		exit_ud, 0, EXIT_CLASS_UD, text \
	}
#define GP(text)                                \
	{                                       \
		exit_gp, 0, EXIT_CLASS_GP, text \
	}
#define ROW(fn, needs, text)                        \
	{                                           \
		fn, needs, EXIT_CLASS_HANDLED, text \
	}

/*
 * Every basic exit reason of the SDM. A "stop" row is an exit whose control is never set: taking it
 * is a hypervisor bug. An instruction of a feature that the guest is not offered faults as on a CPU
 * without it.
 */
/* clang-format off */
static const struct exit_row core_rows[EXIT_REASON_COUNT] = {
	[EXIT_REASON_EXCEPTION_NMI]      = ROW(exit_exception_nmi, 0, "exception-nmi"),
	[EXIT_REASON_EXTERNAL_INTERRUPT] = ROW(exit_external_interrupt, 0, "ext-intr"),
	[EXIT_REASON_TRIPLE_FAULT]       = ROW(exit_triple_fault, 0, "triple-fault"),
	[EXIT_REASON_INIT]               = ROW(exit_init, 0, "init"),
	[EXIT_REASON_SIPI]               = STOP("sipi"),
	[EXIT_REASON_IO_SMI]             = STOP("io-smi"),
	[EXIT_REASON_OTHER_SMI]          = STOP("other-smi"),
	[EXIT_REASON_INTERRUPT_WINDOW]   = ROW(exit_interrupt_window, 0, "intr-window"),
	[EXIT_REASON_NMI_WINDOW]         = ROW(exit_nmi_window, 0, "nmi-window"),
	[EXIT_REASON_TASK_SWITCH]        = ROW(exit_task_switch, NEEDS_QUAL | NEEDS_VECTOR, "task-switch"),
	[EXIT_REASON_CPUID]              = ROW(exit_cpuid, 0, "cpuid"),
	[EXIT_REASON_GETSEC]             = UD("getsec"),
	[EXIT_REASON_HLT]                = ROW(exit_hlt, 0, "hlt"),
	[EXIT_REASON_INVD]               = ROW(exit_invd, 0, "invd"),
	[EXIT_REASON_INVLPG]             = STOP("invlpg"),
	[EXIT_REASON_RDPMC]              = GP("rdpmc"),
	[EXIT_REASON_RDTSC]              = ROW(exit_rdtsc, 0, "rdtsc"),
	[EXIT_REASON_RSM]                = UD("rsm"),
	[EXIT_REASON_VMCALL]             = UD("vmcall"),
	[EXIT_REASON_VMCLEAR]            = UD("vmclear"),
	[EXIT_REASON_VMLAUNCH]           = UD("vmlaunch"),
	[EXIT_REASON_VMPTRLD]            = UD("vmptrld"),
	[EXIT_REASON_VMPTRST]            = UD("vmptrst"),
	[EXIT_REASON_VMREAD]             = UD("vmread"),
	[EXIT_REASON_VMRESUME]           = UD("vmresume"),
	[EXIT_REASON_VMWRITE]            = UD("vmwrite"),
	[EXIT_REASON_VMXOFF]             = UD("vmxoff"),
	[EXIT_REASON_VMXON]              = UD("vmxon"),
	[EXIT_REASON_CR_ACCESS]          = ROW(exit_cr_access, NEEDS_QUAL, "cr-access"),
	[EXIT_REASON_DR_ACCESS]          = ROW(exit_dr_access, NEEDS_QUAL, "dr-access"),
	[EXIT_REASON_IO_INSTRUCTION]     = ROW(exit_io, NEEDS_QUAL, "io"),
	[EXIT_REASON_RDMSR]              = ROW(exit_rdmsr, 0, "rdmsr"),
	[EXIT_REASON_WRMSR]              = ROW(exit_wrmsr, 0, "wrmsr"),
	[EXIT_REASON_ENTRY_GUEST_STATE]  = ROW(exit_entry_failure, NEEDS_QUAL, "entry-guest-state"),
	[EXIT_REASON_ENTRY_MSR_LOADING]  = ROW(exit_entry_failure, NEEDS_QUAL, "entry-msr-load"),
	[EXIT_REASON_MWAIT]              = UD("mwait"),
	[EXIT_REASON_MONITOR_TRAP_FLAG]  = STOP("mtf"),
	[EXIT_REASON_MONITOR]            = UD("monitor"),
	[EXIT_REASON_PAUSE]              = ROW(exit_pause, 0, "pause"),
	[EXIT_REASON_ENTRY_MACHINE_CHECK] = ROW(exit_entry_failure, NEEDS_QUAL, "entry-mce"),
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = ROW(exit_tpr_threshold, 0, "tpr-threshold"),
	[EXIT_REASON_APIC_ACCESS]        = ROW(exit_apic_access, NEEDS_QUAL | NEEDS_VECTOR, "apic-access"),
	[EXIT_REASON_VIRTUALIZED_EOI]    = ROW(exit_virtualized_eoi, NEEDS_QUAL, "virt-eoi"),
	[EXIT_REASON_GDTR_IDTR_ACCESS]   = STOP("gdtr-idtr"),
	[EXIT_REASON_LDTR_TR_ACCESS]     = STOP("ldtr-tr"),
	[EXIT_REASON_EPT_VIOLATION]      = ROW(exit_ept_violation,
					       NEEDS_QUAL | NEEDS_GPA | NEEDS_GLA | NEEDS_VECTOR,
					       "ept-violation"),
	[EXIT_REASON_EPT_MISCONFIGURATION] = ROW(exit_ept_misconfig, NEEDS_GPA, "ept-misconfig"),
	[EXIT_REASON_INVEPT]             = UD("invept"),
	[EXIT_REASON_RDTSCP]             = ROW(exit_rdtscp, 0, "rdtscp"),
	[EXIT_REASON_PREEMPTION_TIMER]   = ROW(exit_preemption_timer, 0, "preempt-timer"),
	[EXIT_REASON_INVVPID]            = UD("invvpid"),
	[EXIT_REASON_WBINVD]             = ROW(exit_wbinvd, 0, "wbinvd"),
	[EXIT_REASON_XSETBV]             = ROW(exit_xsetbv, 0, "xsetbv"),
	[EXIT_REASON_APIC_WRITE]         = ROW(exit_apic_write, NEEDS_QUAL, "apic-write"),
	[EXIT_REASON_RDRAND]             = STOP("rdrand"),
	[EXIT_REASON_INVPCID]            = STOP("invpcid"),
	[EXIT_REASON_VMFUNC]             = UD("vmfunc"),
	[EXIT_REASON_ENCLS]              = UD("encls"),
	[EXIT_REASON_RDSEED]             = STOP("rdseed"),
	[EXIT_REASON_PML_FULL]           = STOP("pml-full"),
	[EXIT_REASON_XSAVES]             = STOP("xsaves"),
	[EXIT_REASON_XRSTORS]            = STOP("xrstors"),
	[EXIT_REASON_PCONFIG]            = UD("pconfig"),
	[EXIT_REASON_SPP]                = STOP("spp"),
	[EXIT_REASON_UMWAIT]             = UD("umwait"),
	[EXIT_REASON_TPAUSE]             = UD("tpause"),
	[EXIT_REASON_LOADIWKEY]          = UD("loadiwkey"),
	[EXIT_REASON_ENCLV]              = UD("enclv"),
	[EXIT_REASON_ENQCMD]             = UD("enqcmd-pasid"),
	[EXIT_REASON_ENQCMDS]            = UD("enqcmds-pasid"),
	[EXIT_REASON_BUS_LOCK]           = STOP("bus-lock"),
	[EXIT_REASON_NOTIFY]             = ROW(exit_notify, NEEDS_QUAL | NEEDS_VECTOR, "notify"),
	[EXIT_REASON_SEAMCALL]           = UD("seamcall"),
	[EXIT_REASON_TDCALL]             = UD("tdcall"),
	[EXIT_REASON_RDMSRLIST]          = UD("rdmsrlist"),
	[EXIT_REASON_WRMSRLIST]          = UD("wrmsrlist"),
	[EXIT_REASON_URDMSR]             = UD("urdmsr"),
	[EXIT_REASON_UWRMSR]             = UD("uwrmsr"),
};
/* clang-format on */

struct exit_table exit_table_guest;

static enum exit_action exit_hole(struct vp *vp, const struct exit_info *x);
static enum exit_action dispatch_with_info(struct vp *vp, const struct exit_info *x);

void exit_table_set(struct exit_table *t, u32 reason, const struct exit_row *row)
{
	ASSERT(reason < EXIT_REASON_COUNT);
	t->row[reason] = *row;
	if (!row->fn)
		t->entry[reason] = exit_hole;
	else /* SPEED(dispatch-direct): a row without needs has no step between */
		t->entry[reason] = row->needs ? dispatch_with_info : row->fn;
}

void exit_table_init(struct exit_table *t)
{
	for (u32 i = 0; i < EXIT_REASON_COUNT; i++)
		exit_table_set(t, i, &core_rows[i]);
}

void exit_table_add(struct exit_table *t, const struct exit_module_row *row)
{
	ASSERT(row->reason < EXIT_REASON_COUNT);
	ASSERT(t->row[row->reason].class != EXIT_CLASS_HANDLED);
	exit_table_set(t, row->reason, &row->row);
}

const struct exit_row *exit_table_row(const struct exit_table *t, u32 reason)
{
	return reason < EXIT_REASON_COUNT && t->row[reason].fn ? &t->row[reason] : NULL;
}

/* With TF set, a completed instruction leaves a #DB pending. */
static void trap_step(u64 rflags)
{
	if ((rflags & RFLAGS_TF) && !(hw_vmread(VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
			   hw_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) | PENDING_DBG_BS);
}

/* A shadow ends, RF is set, TF traps, or EIP wraps at 4 GiB. */
static NOINLINE void retire_unusual(struct vp *vp, u64 rip, u64 len)
{
	u64 next = rip + len;
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY);
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS);

	if (((rip ^ next) >> 32) && !vp_is_long64(vp))
		next = (u32)next; /* EIP wraps at 4 GiB */
	hw_vmwrite(VMCS_GUEST_RIP, next);
	if (blocking & INTERRUPT_SHADOW)
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~INTERRUPT_SHADOW);
	if (rflags & RFLAGS_RF) /* RF ends with the instruction */
		hw_vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	trap_step(rflags);
	vp_arm_timer(vp);
}

/*
 * RF is what IRET loaded. TF counts as it was before: SDM "Single-Step Exception Condition". NMIs
 * are unblocked.
 */
static void retire_iret(struct vp *vp)
{
	u64 before = hw_vmread(VMCS_GUEST_RFLAGS);

	hw_vmwrite(VMCS_GUEST_RFLAGS, vp->iret_rflags);
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) &
			   ~(INTERRUPT_SHADOW | GUEST_INTR_BLOCKED_BY_NMI));
	trap_step(before);
	vp_set_work(vp, VP_WORK_EVENT); /* an interrupt or NMI may have waited for this */
}

/*
 * The one place that retires an instruction; it arms the timer, too: most of the cost of a CPUID or
 * RDMSR exit.
 */
static void exit_retire(struct vp *vp, bool decoded)
{
	u64 rip = hw_vmread_hot(VMCS_GUEST_RIP);
	u64 unusual = (hw_vmread_hot(VMCS_GUEST_RFLAGS) & (RFLAGS_TF | RFLAGS_RF)) |
		      (hw_vmread_hot(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPT_SHADOW);
	u64 len = decoded ? vp->insn_len : hw_vmread_hot(VMCS_VM_EXIT_INSTRUCTION_LENGTH);

	if (unlikely(unusual) || unlikely((u32)rip > 0xfffffff0u))
		return retire_unusual(vp, rip, len);
	hw_vmwrite_hot(VMCS_GUEST_RIP, rip + len);
	vp_arm_timer(vp);
}

/*
 * Events are taken between two iterations, too, with RF set in the saved flags: SDM Vol. 3B
 * "Instruction-Breakpoint Exception Condition".
 */
static NOINLINE void end_iteration(void)
{
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS);
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (blocking & INTERRUPT_SHADOW)
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~INTERRUPT_SHADOW);
	hw_vmwrite(VMCS_GUEST_RFLAGS, rflags | RFLAGS_RF);
	trap_step(rflags);
}

/* An exit reason without a row: a hypervisor bug, or a CPU that departs from the SDM. */
static enum exit_action exit_hole(struct vp *vp, const struct exit_info *x)
{
	u32 reason = (u32)hw_vmread(VMCS_EXIT_REASON);

	log_error("no row for VM exit reason 0x%x (%s): hypervisor bug, please report", reason,
		  exit_reason_name(reason & EXIT_REASON_BASIC));
	return EXIT_STOP;
}

const struct exit_info *exit_info_read(struct vp *vp, u32 needs)
{
	struct exit_info *x = &vp->exit;

	if (needs & NEEDS_QUAL)
		x->qual = hw_vmread(VMCS_EXIT_QUALIFICATION);
	if (needs & NEEDS_GPA)
		x->gpa = hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
	if (needs & NEEDS_GLA)
		x->gla = hw_vmread(VMCS_GUEST_LINEAR_ADDRESS);
	if (needs & NEEDS_INTR) {
		x->intr_info = (u32)hw_vmread(VMCS_VM_EXIT_INTR_INFO);
		x->intr_error = (u32)hw_vmread(VMCS_VM_EXIT_INTR_ERROR_CODE);
	}
	if (needs & NEEDS_VECTOR)
		event_vectoring(vp);
	return x;
}

/* Rows that need more than the reason. */
static enum exit_action dispatch_with_info(struct vp *vp, const struct exit_info *unused)
{
	u32 reason = (u32)hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
	const struct exit_row *row = &vp->ctx->exits->row[reason];

	return row->fn(vp, exit_info_read(vp, row->needs));
}

/* A flag above the basic reason. With the controls we set only entry failures have one (bit 31). */
static NOINLINE enum exit_action dispatch_flagged(struct vp *vp)
{
	u64 reason = hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;

	if (reason >= EXIT_REASON_COUNT)
		return exit_hole(vp, &vp->exit);
	vp->counters.exits[reason]++;
	return vp->dispatch[reason](vp, &vp->exit);
}

/* SPEED(dispatch-cached): the VP has the current context's handlers itself. */
enum exit_action exit_dispatch(struct vp *vp, const struct exit_info *none, u64 reason)
{
	if (unlikely(reason >= EXIT_REASON_COUNT))
		return dispatch_flagged(vp);
	vp->counters.exits[reason]++;
	return vp->dispatch[reason](vp, none);
}

void exit_restart(void)
{
	u64 pending;

	if (hw_vmread(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID)
		return;
	hw_vmwrite(VMCS_GUEST_RFLAGS, hw_vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	pending = hw_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);
	if ((pending & PENDING_DBG_BS) &&
	    !(hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) & GUEST_INTR_BLOCKED_BY_MOV_SS))
		hw_vmwrite(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, pending & ~PENDING_DBG_BS);
}

static NOINLINE void complete_unusual(struct vp *vp, enum exit_action action)
{
	switch (action) {
	case EXIT_RESUME:
	case EXIT_NEXT:
	case EXIT_NEXT_DECODED: /* not here */
		break;
	case EXIT_NEXT_MOV_SS:
		retire_unusual(vp, hw_vmread(VMCS_GUEST_RIP), vp->insn_len);
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) | GUEST_INTR_BLOCKED_BY_MOV_SS);
		break;
	case EXIT_NEXT_IRET:
		retire_iret(vp);
		break;
	case EXIT_RETRY:
		vp_wait_page(vp);
		exit_restart();
		break;
	case EXIT_ITERATION:
		end_iteration();
		break;
	case EXIT_MSR_FAULT:
		COUNT(vp, MSR_GP);
		TRACE(vp, MSR_FAULT, vp->regs.rcx, hw_vmread(VMCS_GUEST_RIP), edx_eax(&vp->regs));
		if ((hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC) == EXIT_REASON_WRMSR)
			msr_log_refused_write(vp);
		event_exception(vp, EXC_GP, true, 0);
		break;
	case EXIT_UNHANDLED: /* nobody decided */
	case EXIT_STOP:
		partition_stop(
			vp, exit_reason_name((u32)hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC));
	}
}

void exit_next(struct vp *vp)
{
	exit_retire(vp, false);
}

void exit_resume(struct vp *vp)
{
	/* SPEED(complete-work): vp_prepare_entry() arms it, too */
	if (!READ_ONCE(vp->work))
		vp_arm_timer(vp);
}

/* Emulated register accesses are the frequent ones that vmenter.S does not know. */
void exit_complete(struct vp *vp, enum exit_action action)
{
	if (likely(action == EXIT_NEXT_DECODED))
		return exit_retire(vp, true);
	if (action == EXIT_NEXT)
		return exit_next(vp);
	if (action == EXIT_RESUME)
		return exit_resume(vp);
	complete_unusual(vp, action);
	vp_arm_timer(vp);
}
