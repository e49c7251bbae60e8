/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands that dump into the log, and the dump of the counters every stats= seconds.
 *
 * Context: VP 0's CPU, root. What a dump costs VP 0 at 115200 baud is counted as STEAL_DUMP, and no
 * exit's time (trace_stolen()).
 */
#include "core/diag/guest_crash.h"
#include "core/diag/log.h"
#include "core/diag/vp_dump.h"
#include "core/hw.h"
#include "core/mem/ept_audit.h"
#include "core/mon/command_internal.h"
#include "core/mon/monitor.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"

#define PIECES_PER_SECOND 250u /* a piece lasts this long, and then the guest runs as long */

static void dump_due(struct vp *vp, struct timer *t);

/* The dump in progress. */
static struct {
	struct timer timer;
	bool (*line)(const struct partition *p); /* NULL: there is none */
	void (*end)(const struct partition *p);
} dump = { .timer.fn = dump_due };

/*
 * Serial lines are slow: let the guest run between pieces, and at once if another VP waits for this
 * one.
 */
static void dump_due(struct vp *vp, struct timer *t)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc = park_begin_work(vp), piece = p->clock.tsc_hz / PIECES_PER_SECOND;
	bool more;

	do
		more = dump.line(p);
	while (more && !park_is_wanted(vp) && hw_tsc() - begin_tsc < piece);
	park_end_work(vp, STEAL_DUMP, begin_tsc);
	if (more) {
		timer_set(vp, t, hw_tsc() + piece);
		return;
	}
	dump.line = NULL;
	begin_tsc = steal_begin();
	dump.end(p);
	steal_end(vp, STEAL_DUMP, begin_tsc);
}

/* False: one is under way, and that was printed. */
static bool may_begin(void)
{
	if (dump.line == NULL)
		return true;
	log_info("monitor: not now: another dump is under way");
	return false;
}

/* The first piece follows the command, whose own time is counted apart. */
static void begin(struct vp *vp, bool (*line)(const struct partition *p),
		  void (*end)(const struct partition *p))
{
	dump.line = line;
	dump.end = end;
	timer_set(vp, &dump.timer, hw_tsc());
}

static u64 before_tsc; /* park.dump_tsc when the dump of the counters began */

static void end_counters(const struct partition *p)
{
	counters_dump_end(p, p->vp[0]->park.dump_tsc - before_tsc);
}

void monitor_dump_counters(struct vp *vp, const char *why)
{
	if (!may_begin())
		return;
	before_tsc = vp->park.dump_tsc;
	counters_dump_begin(vp->partition, why);
	begin(vp, counters_dump_line, end_counters);
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
	u32 first, end;

	if (!command_vps(vp, args, &first, &end))
		return;
	log_info("registers: asked for on COM2");
	for (u32 i = first; i < end; i++) {
		if (!remote_call(p->vp[i], report_vp, NULL))
			log_info("vp%u: its CPU does not answer", i);
	}
	log_info("registers: end");
}

static bool trace_line(const struct partition *p)
{
	return trace_dump_line(p, log_info);
}

static void end_trace(const struct partition *p)
{
	trace_freeze(false);
	log_info("trace: end");
}

void cmd_trace(struct vp *vp, struct word args)
{
	if (!may_begin())
		return;
	log_info("trace: asked for on COM2");
	trace_freeze(true); /* or the dump would chase the records that it causes */
	trace_dump_begin(vp->partition, TRACE_ALL);
	begin(vp, trace_line, end_trace);
}

void cmd_audit(struct vp *vp, struct word args)
{
	(void)ept_audit_log(vp->partition);
}

void cmd_crash(struct vp *vp, struct word args)
{
	guest_crash_dump(log_info);
}
