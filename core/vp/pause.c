/* SPDX-License-Identifier: BSD-2-Clause */
/* Pause and go on. Context: VP's own CPU, root, interrupts disabled. */
#include "core/vp/pause.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

void partition_pause(struct partition *p, u64 ticks)
{
	WRITE_ONCE(p->paused_until_tsc, hw_tsc() + ticks);
	for (u32 i = 0; i < p->vp_count; i++)
		vp_post_work(p->vp[i], VP_WORK_PAUSE);
}

void pause_serve(struct vp *vp)
{
	struct partition *p = vp->partition;
	u64 begin_tsc = steal_begin();

	if (vp->state == VP_WAIT_SIPI)
		return; /* it has not run yet: nothing of it is paused */
	COUNT(vp, PAUSE);
	TRACE(vp, PAUSE, 0, READ_ONCE(p->paused_until_tsc) - begin_tsc, 0);
	vp_park(vp);
	while (hw_tsc() < READ_ONCE(p->paused_until_tsc))
		remote_call_wait(vp);
	if (vp->state == VP_RUNNING)
		vp_resume(vp);
	steal_end(vp, STEAL_PAUSE, begin_tsc);
	if (p->hooks != NULL)
		p->hooks->paused(vp);
}
