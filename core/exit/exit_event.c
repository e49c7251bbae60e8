/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits that are events: exceptions, NMIs, interrupts, windows, timer, INIT, entry failures. Pure.
 */
#include "core/exit/exit.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/panic.h"
#include "core/exit/entry_check.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/*
 * We intercept #DB, or its delivery could loop for ever (rule M3). Such an exit does not update
 * DR6, DR7.GD or DEBUGCTL, so do it here; the qualification holds the bits for DR6: SDM "Exit
 * Qualification for Debug Exceptions", "Debug Status Register (DR6)".
 */
static void debug_exception_state(u64 qual)
{
	u64 dr6 = hw_read_dr(6);

	dr6 = (dr6 & ~DR6_B0_B3) | (qual & (DEBUG_QUAL_B0_B3 | DEBUG_QUAL_BD | DEBUG_QUAL_BS));
	dr6 |= DR6_RTM | DR6_BLD;
	dr6 &= ~(qual & (DEBUG_QUAL_RTM | DEBUG_QUAL_BLD)); /* inverse polarity */
	hw_write_dr(6, dr6);
	hw_vmwrite(VMCS_GUEST_DR7, hw_vmread(VMCS_GUEST_DR7) & ~DR7_GD);
	hw_vmwrite(VMCS_GUEST_DEBUGCTL,
		   hw_vmread(VMCS_GUEST_DEBUGCTL) & ~(u64)(DEBUGCTL_LBR | DEBUGCTL_BTF));
	/* Delivery ends the interrupt shadow. Together with TF it would fail the entry checks. */
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) &
			   ~(u64)(GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS));
}

/* Give an exception to the guest as if we had not intercepted it. */
static void reflect(struct vp *vp, const struct exit_info *x)
{
	u64 type = FIELD_GET(INTR_INFO_TYPE, x->intr_info);
	u8 vector = (u8)(x->intr_info & INTR_INFO_VECTOR);

	if (vector == EXC_DB)
		debug_exception_state(x->qual);
	else if (vector == EXC_PF)
		hw_write_cr2(x->qual);
	event_exception(vp, vector, (x->intr_info & INTR_INFO_ERROR_CODE_VALID) != 0,
			x->intr_error);
	/* INT1, INT3 or INTO, unless the merge rules turned it into something else. */
	if (type != INTR_TYPE_HARD_EXCEPTION && (vp->event.info & INTR_INFO_VECTOR) == vector) {
		vp->event.info =
			(vp->event.info & ~INTR_INFO_TYPE) | (u32)FIELD_PREP(INTR_INFO_TYPE, type);
		vp->event.len = (u32)hw_vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	}
}

static NOINLINE enum exit_action exit_exception(struct vp *vp)
{
	const struct exit_info *x = exit_info_read(vp, NEEDS_INTR | NEEDS_QUAL | NEEDS_VECTOR);
	u8 vector = (u8)(x->intr_info & INTR_INFO_VECTOR);

	/* SDM "Information for VM Exits Due to Vectored Events": an IRET faulted. */
	if ((x->intr_info & INTR_INFO_NMI_UNBLOCKING_IRET) && vector != EXC_DF &&
	    !(hw_vmread(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID))
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
			   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) | GUEST_INTR_BLOCKED_BY_NMI);
	if (!(exc_bitmap(vp) & BIT32(vector)))
		return EXIT_STOP; /* not in the bitmap: a hypervisor bug */
	if (!exc_offer(vp, &vp->exit))
		reflect(vp, x);
	return EXIT_RESUME;
}

/* Usually a kick: this path is part of every IPI between two VPs. */
enum exit_action exit_exception_nmi(struct vp *vp, const struct exit_info *unused)
{
	u64 info = hw_vmread_hot(VMCS_VM_EXIT_INTR_INFO);

	if (FIELD_GET(INTR_INFO_TYPE, info) != INTR_TYPE_NMI)
		return exit_exception(vp);
	hw_nmi_unblock();
	if (unlikely(hw_vmread_hot(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID))
		event_vectoring(vp);
	vp_left_hlt(vp);
	vp_nmi_received(vp);
	return EXIT_RESUME;
}

/* SPEED(interrupt-at-once): delivered here and not by way of VP_WORK_EVENT. */
enum exit_action exit_external_interrupt(struct vp *vp, const struct exit_info *x)
{
	vp_left_hlt(vp);
	(void)irq_fwd_take(vp, (u8)hw_vmread_hot(VMCS_VM_EXIT_INTR_INFO));
	event_prepare_entry(vp);
	return EXIT_RESUME;
}

enum exit_action exit_interrupt_window(struct vp *vp, const struct exit_info *x)
{
	event_prepare_entry(vp);
	return EXIT_RESUME;
}

enum exit_action exit_nmi_window(struct vp *vp, const struct exit_info *x)
{
	if (unlikely(vp->event.stepping))
		step_window(vp);
	vp_set_work(vp, VP_WORK_EVENT);
	return EXIT_RESUME;
}

enum exit_action exit_preemption_timer(struct vp *vp, const struct exit_info *x)
{
	vp_left_hlt(vp);
	timer_run(vp, hw_tsc()); /* may find nothing due: a far deadline is armed by halves */
	if (vp->work & VP_WORK_EVENT) {
		(void)__atomic_fetch_and(&vp->work, ~(u32)VP_WORK_EVENT, __ATOMIC_RELAXED);
		event_prepare_entry(vp);
	}
	return EXIT_RESUME;
}

/* Rule P2: a physical INIT (chipset reset line) is a virtual INIT of this VP. */
enum exit_action exit_init(struct vp *vp, const struct exit_info *x)
{
	vp_left_hlt(vp);
	vlapic_post_init(vp);
	return EXIT_RESUME;
}

enum exit_action exit_triple_fault(struct vp *vp, const struct exit_info *x)
{
	COUNT(vp, TRIPLE_FAULT);
	TRACE(vp, TRIPLE_FAULT, 0, hw_vmread(VMCS_GUEST_RIP), 0);
	partition_stop(vp, "triple fault");
}

/* Rule M3: the guest had no interrupt window for too long. The exit itself breaks the loop; go
 * on. */
enum exit_action exit_notify(struct vp *vp, const struct exit_info *x)
{
	return x->qual & NOTIFY_QUAL_CONTEXT_INVALID ? EXIT_STOP : EXIT_RESUME;
}

/*
 * The CPU's entry checks failed, which no guest should be able to cause: repeat them to name the
 * one that failed (entry_check.c).
 */
enum exit_action exit_entry_failure(struct vp *vp, const struct exit_info *x)
{
	u32 reason = (u32)hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
	const char *check = reason == EXIT_REASON_ENTRY_GUEST_STATE
				    ? entry_check_guest_state()
				    : "MSR loading or machine check";

	panic("VM entry of VP %u failed (%s): %s (qualification %llu)", vp->index,
	      exit_reason_name(reason), check, x->qual);
}
