/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands about VPs: what they do; hold them, let them go. Context: VP 0's CPU, root. */
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/mon/command_internal.h"
#include "core/partition.h"
#include "core/vp/hold.h"
#include "core/vp/remote_call.h"
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
	log_info("monitor: stopping %u of %u VP%s", end - first, vp->partition->vp_count,
		 plural(vp->partition->vp_count));
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
	log_info("monitor: %u VP%s released", count, plural(count));
}

/* On the stepped VP's CPU. */
static void stepped(struct vp *vp, enum step_end how)
{
	static const char *const end[] = {
		[STEP_DONE] = "",
		[STEP_RAISED] = ", an exception is queued",
		[STEP_RESET] = ", INIT",
	};

	log_info("vp%u: step %llx -> %llx%s", vp->index, vp->step.from, hw_vmread(VMCS_GUEST_RIP),
		 end[how]);
}

static void begin_step(struct vp *vp, void *arg)
{
	*(err_t *)arg = step_begin(vp, stepped);
}

void cmd_step(struct vp *vp, struct word args)
{
	u32 first, last;

	if (!command_vps(vp, args, &first, &last))
		return;
	for (u32 i = first; i < last; i++) {
		err_t err = ERR_NODEV;

		if (!remote_call(vp->partition->vp[i], begin_step, &err))
			log_info("vp%u: its CPU does not answer", i);
		else if (err == ERR_INVAL)
			log_info("vp%u: not held, or on its way to the hold", i);
		else if (err == ERR_BUSY)
			log_info("vp%u: the last step has not ended", i);
		else if (err != ERR_NONE)
			log_info("vp%u: %s: nothing to step", i,
				 vp_state_name(vp->partition->vp[i]->state));
	}
}
