/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Dumps on request: a key on COM2 while log=com2 owns it, or every stats= seconds. Both are entries
 * of VP 0's deadline queue.
 *
 * Context: VP 0's CPU, root. A dump at 115200 baud takes the VP's time; whoever asks knows.
 */
#include "boot/boot.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/mem/ept_audit.h"
#include "core/partition.h"
#include "core/vp/remote_call.h"
#include "core/vp/vp.h"
#include "drivers/console.h"

#define KEYS_PER_SECOND  4   /* how often COM2 is looked at */
#define DUMPS_PER_SECOND 100 /* how soon a dump that gave way goes on */

static void arm(struct vp *vp, struct timer *t, u64 ticks)
{
	timer_set(vp, t, hw_tsc() + ticks);
}

/*
 * The dump in progress. It gives way to the guest between two VPs' counters when another VP asks
 * for this one (KVM's SCHED_YIELD).
 */
static struct {
	struct timer timer;
	u32 next_vp;
} dump;

static void dump_due(struct vp *vp, struct timer *t)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc = park_begin_work(vp);

	while (dump.next_vp < p->vp_count && !park_is_wanted(vp))
		counters_dump_vp(p->vp[dump.next_vp++], log_info);
	park_end_work(vp, STEAL_DUMP, begin_tsc);
	if (dump.next_vp < p->vp_count)
		arm(vp, t, p->clock.tsc_hz / DUMPS_PER_SECOND);
	else
		log_info("counters: end");
}

static void dump_begin(struct vp *vp, const char *why)
{
	log_info("counters: %s", why);
	dump.next_vp = 0;
	dump_due(vp, &dump.timer);
}

static void stats_due(struct vp *vp, struct timer *t)
{
	dump_begin(vp, "periodic");
	arm(vp, t, vp->partition->config.stats_seconds * vp->partition->clock.tsc_hz);
}

static void report_vp(struct vp *vp, void *arg)
{
	static const char *const state[] = { "halted", "running", "waiting for SIPI", "shut down" };

	log_info("vp%u: %s", vp->index, state[vp->state]);
	partition_report_vp(vp, log_info);
}

static void report_all(const struct partition *p)
{
	log_info("registers: asked for on COM2");
	for (u32 i = 0; i < p->vp_count; i++) {
		if (!remote_call(p->vp[i], report_vp, NULL))
			log_info("vp%u: its CPU does not answer", i);
	}
	log_info("registers: end");
}

static void answer(struct vp *vp, char key)
{
	const struct partition *p = vp->partition;
	u64 begin_tsc;

	switch (key) {
	case 'c':
		dump_begin(vp, "asked for on COM2");
		break;
	case 'r':
		begin_tsc = steal_begin();
		report_all(p);
		steal_end(vp, STEAL_DUMP, begin_tsc);
		break;
	case 't':
		begin_tsc = steal_begin();
		log_info("trace: asked for on COM2");
		trace_dump(p, TRACE_RECORDS * p->vp_count, log_info);
		log_info("trace: end");
		steal_end(vp, STEAL_DUMP, begin_tsc);
		break;
	case 'e':
		begin_tsc = steal_begin();
		(void)ept_audit_log(vp->partition);
		steal_end(vp, STEAL_DUMP, begin_tsc);
		break;
	case '\r':
	case '\n':
		break;
	default:
		log_info("COM2: c dumps the counters, e audits the EPT, r dumps the registers "
			 "of all VPs, t the trace rings");
	}
}

static void keys_due(struct vp *vp, struct timer *t)
{
	s32 key = console_read_log();

	if (key >= 0)
		answer(vp, (char)key);
	arm(vp, t, vp->partition->clock.tsc_hz / KEYS_PER_SECOND);
}

void boot_start_requests(struct vp *vp)
{
	static struct timer stats = { .fn = stats_due }, keys = { .fn = keys_due };
	const struct config *c = &vp->partition->config;

	dump.timer.fn = dump_due;
	if (c->stats_seconds != 0)
		arm(vp, &stats, c->stats_seconds * vp->partition->clock.tsc_hz);
	if (c->kvmclock_sync)
		vp_plan_clock_sync(vp);
	if (c->log_com2)
		arm(vp, &keys, vp->partition->clock.tsc_hz / KEYS_PER_SECOND);
}
