/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands about VPs: what they do; hold them, let them go. Context: VP 0's CPU, root. */
#include "core/diag/log.h"
#include "core/lib/bits.h"
#include "core/mon/command_internal.h"
#include "core/partition.h"
#include "core/vp/hold.h"
#include "core/vp/vp.h"

void cmd_vps(struct vp *vp, struct word args)
{
	u32 first, end;

	if (!command_vps(vp, args, &first, &end))
		return;
	for (u32 i = first; i < end; i++) {
		const struct vp *it = vp->partition->vp[i];
		u32 owners = READ_ONCE(it->hold.owners);

		log_info("vp%u: APIC ID %u, %s%s%s%s", i, it->apic_id,
			 vp_state_name(READ_ONCE(it->state)),
			 owners & HOLD_MONITOR ? ", held by the monitor" : "",
			 owners & HOLD_PAUSE ? ", paused" : "",
			 LOAD_ACQUIRE(it->hold.stopped) ? ", stopped" : "");
	}
}

void cmd_hold(struct vp *vp, struct word args)
{
	u32 first, end;

	if (!command_vps(vp, args, &first, &end))
		return;
	for (u32 i = first; i < end; i++)
		vp_hold(vp->partition->vp[i], HOLD_MONITOR);
	log_info("monitor: %u of %u VPs are to stop", end - first, vp->partition->vp_count);
}

void cmd_release(struct vp *vp, struct word args)
{
	u32 first, end, count = 0;

	if (!command_vps(vp, args, &first, &end))
		return;
	for (u32 i = first; i < end; i++) {
		struct vp *it = vp->partition->vp[i];

		count += (READ_ONCE(it->hold.owners) & HOLD_MONITOR) != 0;
		vp_release(it, HOLD_MONITOR);
	}
	log_info("monitor: %u VPs are released", count);
}
