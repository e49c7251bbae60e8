/* SPDX-License-Identifier: BSD-2-Clause */
/* Hold and release. Context: VP's own CPU, root, interrupts disabled. */
#include "core/vp/hold.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

void vp_hold(struct vp *vp, enum hold_owner owner)
{
	(void)__atomic_fetch_or(&vp->hold.owners, owner, __ATOMIC_RELEASE);
	vp_post_work(vp, VP_WORK_HOLD);
}

void vp_release(struct vp *vp, enum hold_owner owner)
{
	(void)__atomic_fetch_and(&vp->hold.owners, ~(u32)owner, __ATOMIC_RELEASE);
}

void partition_pause(struct partition *p, u64 ticks)
{
	WRITE_ONCE(p->paused_until_tsc, hw_tsc() + ticks);
	for (u32 i = 0; i < p->vp_count; i++)
		vp_hold(p->vp[i], HOLD_PAUSE);
}

/* Each VP ends its own pause, when the time is up. */
static bool is_held(struct vp *vp)
{
	u32 owners = LOAD_ACQUIRE(vp->hold.owners);

	if ((owners & HOLD_PAUSE) && hw_tsc() >= READ_ONCE(vp->partition->paused_until_tsc)) {
		vp_release(vp, HOLD_PAUSE);
		owners &= ~(u32)HOLD_PAUSE;
	}
	return owners != 0 && !vp->step.active;
}

void hold_started(struct vp *vp)
{
	if (READ_ONCE(vp->hold.owners) != 0)
		vp_set_work(vp, VP_WORK_HOLD);
}

/*
 * Other CPUs may be waiting for us, and timers still run: without them a held VP 0 could not answer
 * the monitor.
 */
static void serve_once(struct vp *vp)
{
	remote_call_serve(vp); /* a held VP is between two exits */
	remote_call_wait(vp);
	if (hw_tsc() >= vp->deadline_tsc)
		timer_run(vp, hw_tsc());
}

void hold_serve(struct vp *vp)
{
	u64 begin_tsc = steal_begin();

	if (vp->state == VP_WAIT_SIPI) { /* not started: a pause does not concern it */
		vp_release(vp, HOLD_PAUSE);
		return;
	}
	if (!is_held(vp))
		return;
	COUNT(vp, PAUSE);
	TRACE(vp, PAUSE, READ_ONCE(vp->hold.owners), hw_vmread(VMCS_GUEST_RIP), 0);
	vp_park(vp);
	STORE_RELEASE(vp->hold.stopped, true);
	while (is_held(vp))
		serve_once(vp);
	STORE_RELEASE(vp->hold.stopped, false);
	if (vp->state == VP_RUNNING)
		vp_resume(vp);
	steal_end(vp, STEAL_PAUSE, begin_tsc);
	if (vp->partition->hooks != NULL)
		vp->partition->hooks->paused(vp);
}
