/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that dump into the log, and the dump of the counters every stats= seconds.
 *
 * Context: VP 0's CPU, root. A dump at 115200 baud costs VP 0 that time.
 */
#include "core/diag/log.h"
#include "core/diag/vp_dump.h"
#include "core/hw.h"
#include "core/mem/ept_audit.h"
#include "core/mon/command_internal.h"
#include "core/mon/monitor.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

#define DUMPS_PER_SECOND 100 /* how soon an interrupted dump resumes */

static void dump_due(struct vp *vp, struct timer *t);

/*
 * The dump in progress. If another VP waits for this one it lets the guest run
 * between two VPs' counters.
 */
static struct {
	struct timer timer;
	u32 next_vp;
} dump = { .timer.fn = dump_due };

static void dump_due(struct vp *vp, struct timer *t)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc = park_begin_work(vp);

	while (dump.next_vp < p->vp_count && !park_is_wanted(vp))
		counters_dump_vp(p->vp[dump.next_vp++], log_info);
	park_end_work(vp, STEAL_DUMP, begin_tsc);
	if (dump.next_vp < p->vp_count)
		timer_set(vp, t, hw_tsc() + p->clock.tsc_hz / DUMPS_PER_SECOND);
	else
		log_info("counters: end");
}

void monitor_dump_counters(struct vp *vp, const char *why)
{
	log_info("counters: %s", why);
	dump.next_vp = 0;
	dump_due(vp, &dump.timer);
}

void cmd_counters(struct vp *vp, struct word args)
{
	monitor_dump_counters(vp, "asked for on COM2");
}

static void report_vp(struct vp *vp, void *arg)
{
	log_info("vp%u: %s", vp->index, vp_state_name(vp->state));
	vp_dump_state(vp, log_info);
	vp_dump_registers(vp, log_info);
}

void cmd_regs(struct vp *vp, struct word args)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc = steal_begin();
	u32 first, end;

	if (!command_vps(vp, args, &first, &end))
		return;
	log_info("registers: asked for on COM2");
	for (u32 i = first; i < end; i++) {
		if (!remote_call(p->vp[i], report_vp, NULL))
			log_info("vp%u: its CPU does not answer", i);
	}
	log_info("registers: end");
	steal_end(vp, STEAL_DUMP, begin_tsc);
}

void cmd_trace(struct vp *vp, struct word args)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc = steal_begin();

	log_info("trace: asked for on COM2");
	trace_dump(p, TRACE_ALL, log_info);
	log_info("trace: end");
	steal_end(vp, STEAL_DUMP, begin_tsc);
}

void cmd_audit(struct vp *vp, struct word args)
{
	u64 begin_tsc = steal_begin();

	(void)ept_audit_log(vp->partition);
	steal_end(vp, STEAL_DUMP, begin_tsc);
}
