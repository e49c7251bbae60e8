/* SPDX-License-Identifier: BSD-2-Clause */
/* TSC offset of a VP. Pure. Context: the VP's own CPU. */
#include "core/time/guest_tsc.h"

#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static bool offsets_are_equal(const struct partition *p)
{
	for (u32 i = 1; i < p->vp_count; i++) {
		if (READ_ONCE(p->vp[i]->tsc_offset) != READ_ONCE(p->vp[0]->tsc_offset))
			return false;
	}
	return true;
}

void guest_tsc_shift(struct vp *vp, u64 delta_tsc)
{
	struct partition *p = vp->partition;
	u64 deadline = vlapic_timer_read_deadline(vp);

	if (delta_tsc == 0)
		return;
	spin_lock(&p->lock);
	WRITE_ONCE(vp->tsc_offset, vp->tsc_offset + delta_tsc);
	vp->tsc_adjust += delta_tsc;
	p->clock.synced = p->clock.in_step && offsets_are_equal(p);
	spin_unlock(&p->lock);
	TRACE(vp, TSC_OFFSET, 0, vp->tsc_offset, 0);
	ctx_set_tsc_offset(vp->ctx, vp->tsc_offset);
	if (deadline != 0)
		vlapic_timer_write_deadline(vp, deadline);
	if (p->hooks != NULL)
		p->hooks->clock_changed(p);
}
