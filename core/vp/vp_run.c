/* SPDX-License-Identifier: BSD-2-Clause */
/* The run loop's part before an entry: pending work and the timer. vmenter.S and exit.c are the
 * rest. */
#include "core/vp/vp.h"

#include "core/apic/irq_msg.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/hold.h"
#include "core/vp/tlb_flush.h"

void vp_program_timer(struct vp *vp, u64 now_tsc)
{
	u64 left;

	if (vp->deadline_tsc <= now_tsc) { /* due: no exit needed */
		vp_set_work(vp, VP_WORK_TIMER);
		return;
	}
	left = vp->deadline_tsc - now_tsc;
	if (left < vp->near_tsc) {
		/* SPEED(timer-clamp): hw_timer_arm() need not look for what no count can hold */
		if (left >= TIMER_NEAR_TSC)
			__builtin_unreachable();
		(void)hw_timer_arm(left);
		vp->rearm_tsc = 0;
	} else if (likely(!vp_uses_apic_timer(vp))) {
		vp->rearm_tsc = vp->deadline_tsc - hw_timer_arm(left / 2);
	} else {
		apic_timer_arm(vp, now_tsc);
	}
}

/* INIT, SIPI and NMI. A SIPI is ignored unless the VP waits for one. */
static void take_signals(struct vp *vp)
{
	u32 signals = vlapic_take_signals(vp);

	if (signals & SIGNAL_INIT)
		vp_reset(vp, true);
	if ((signals & SIGNAL_SIPI) && vp->state == VP_WAIT_SIPI)
		vp_startup(vp, (u8)signals);
	if (signals & SIGNAL_NMI)
		event_nmi(vp);
	if (signals & SIGNAL_NMI2)
		event_nmi(vp);
}

#define VP_WORK_RARE (VP_WORK_LINES | VP_WORK_PERIODIC | VP_WORK_CALL | VP_WORK_HOLD)

static NOINLINE void rare_work(struct vp *vp, u32 work)
{
	u64 begin_tsc = steal_begin();

	if (work & VP_WORK_CALL) {
		remote_call_serve(vp);
		steal_end(vp, STEAL_CALL, begin_tsc);
	}
	if (work & VP_WORK_PERIODIC)
		vp->partition->hooks->periodic(vp); /* set by vp_set_work(): the hook exists */
	if (work & VP_WORK_HOLD)
		hold_serve(vp);
	if (work & VP_WORK_LINES)
		irq_msg_work(vp);
}

static void flush(struct vp *vp)
{
	u64 begin_tsc = steal_begin();

	ept_flush_local(vp);
	steal_end(vp, STEAL_FLUSH, begin_tsc);
}

/* Any work, until none is left. */
static NOINLINE bool do_all_work(struct vp *vp)
{
	u32 work;

	for (;;) {
		work = __atomic_fetch_and(&vp->work, VP_WORK_LAUNCH, __ATOMIC_ACQUIRE) &
		       ~(u32)VP_WORK_LAUNCH;
		if (work & VP_WORK_FLUSH)
			flush(vp);
		if (work & VP_WORK_TLB)
			tlb_flush_local(vp);
		if (work & VP_WORK_SIGNAL)
			take_signals(vp);
		if (work & VP_WORK_POSTED)
			vlapic_fold_posted(vp);
		if (work & VP_WORK_TIMER)
			timer_run(vp, hw_tsc());
		if (work & VP_WORK_RARE)
			rare_work(vp, work);
		/* Deliver at once what the above raised. */
		work |= __atomic_fetch_and(&vp->work, ~(u32)VP_WORK_EVENT, __ATOMIC_ACQUIRE) &
			VP_WORK_EVENT;
		if (work & (VP_WORK_EVENT | VP_WORK_SIGNAL | VP_WORK_POSTED))
			event_prepare_entry(vp);
		vp_arm_timer(vp);
		if (!(READ_ONCE(vp->work) & ~(u32)VP_WORK_LAUNCH))
			return (vp->work & VP_WORK_LAUNCH) != 0;
	}
}

bool vp_prepare_entry(struct vp *vp)
{
	u32 work = READ_ONCE(vp->work);

	/* SPEED(work-usual): an interrupt for the guest, from another VP or from its timer */
	if (unlikely(work & ~(u32)(VP_WORK_EVENT | VP_WORK_TIMER | VP_WORK_POSTED)))
		return do_all_work(vp);
	if (work & VP_WORK_TIMER) {
		(void)__atomic_fetch_and(&vp->work, ~(u32)VP_WORK_TIMER, __ATOMIC_RELAXED);
		timer_run(vp, hw_tsc());
	}
	/* Clear only the remote bits we have already seen. */
	(void)__atomic_fetch_and(&vp->work, ~(VP_WORK_EVENT | (work & VP_WORK_POSTED)),
				 __ATOMIC_ACQUIRE);
	if (work & VP_WORK_POSTED)
		vlapic_fold_posted(vp);
	event_prepare_entry(vp);
	vp_arm_timer(vp);
	return false; /* if work was posted meanwhile, vmenter.S calls again */
}

void vp_entry_failed(struct vp *vp)
{
	u32 error = (u32)hw_vmread(VMCS_VM_INSTRUCTION_ERROR);

	panic("VM entry of VP %u failed before the guest state was loaded: VM-instruction error %u "
	      "(%s)",
	      vp->index, error, vmcs_instruction_error_name(error));
}
