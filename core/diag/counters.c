/* SPDX-License-Identifier: BSD-2-Clause */
/* Dump of the counters (invariant 11). Pure. Tests read these lines: their format is an interface.
 */
#include "core/diag/counters.h"

#include "core/diag/log.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* clang-format off */
static const char *const names[COUNTER_COUNT] = {
#define X(name, help) #name,
#include "core/diag/counters.def"
#undef X
};
/* clang-format on */

static u64 start_tsc;

/* The dump in progress. */
static struct {
	u32 number; /* from 1 */
	u32 vp, row;
} dump;

/* The rows of a VP: its exits, its counters, its gauges at once, its exit times. */
#define ROW_COUNTERS EXIT_REASON_COUNT
#define ROW_GAUGES   (ROW_COUNTERS + COUNTER_COUNT)
#define ROW_TIMES    (ROW_GAUGES + 1)
#define ROW_END      (ROW_TIMES + EXIT_REASON_COUNT)

static bool time_row(const struct vp *vp, const struct exit_time *t, const char *name,
		     counters_line_fn line)
{
	if (t->count == 0)
		return false;
	line("time vp%u %s %llu %llu %u %u", vp->index, name, t->count, t->ticks, t->min, t->max);
	return true;
}

static bool gauges(const struct vp *vp, counters_line_fn line)
{
	steal_dump(vp, line);
	if (vp->halt_poll.value_ns != 0)
		line("gauge vp%u halt_poll_ns %u", vp->index, vp->halt_poll.value_ns);
	return true;
}

/* False: there was nothing to print. @which: of struct exit_times. */
static bool print_row(const struct vp *vp, const struct vp_counters *c, u32 which, u32 row,
		      counters_line_fn line)
{
	u64 value;

	if (row == ROW_GAUGES)
		return gauges(vp, line);
	if (row >= ROW_TIMES) {
		row -= ROW_TIMES;
		return vp->trace.times != NULL &&
		       time_row(vp, &vp->trace.times->row[which][row], exit_reason_name(row), line);
	}
	value = row < ROW_COUNTERS ? c->exits[row] : c->c[row - ROW_COUNTERS];
	if (value == 0)
		return false;
	if (row < ROW_COUNTERS)
		line("exit vp%u %s %llu", vp->index, exit_reason_name(row), value);
	else
		line("counter vp%u %s %llu", vp->index, names[row - ROW_COUNTERS], value);
	return true;
}

void counters_dump_vp(const struct vp *vp, counters_line_fn line)
{
	for (u32 row = 0; row < ROW_END; row++)
		(void)print_row(vp, &vp->counters, 0, row, line);
}

void counters_start(void)
{
	start_tsc = hw_tsc();
}

#define US_PER_S 1000000u

/* In a format for %llu.%06llu. */
#define SECONDS(us) (us) / US_PER_S, (us) % US_PER_S

static u64 to_us(const struct partition *p, u64 ticks)
{
	return clock_tsc_to_ns(&p->clock, ticks) / 1000;
}

void counters_dump_begin(const struct partition *p, const char *why)
{
	const struct park *park = &p->vp[0]->park;
	u64 now_tsc = hw_tsc(), guest_us = to_us(p, now_tsc - start_tsc);
	u64 dumping_us = to_us(p, park->dump_tsc);

	for (u32 i = 0; i < p->vp_count; i++)
		p->vp[i]->dumped = p->vp[i]->counters;
	trace_take_times(p);
	dump.number++;
	dump.vp = dump.row = 0;
	log_info("counters: %s", why);
	log_info("dump %u: tsc=%llu tsc_hz=%llu seconds=%llu.%06llu dumping=%llu.%06llu pieces=%u",
		 dump.number, now_tsc, p->clock.tsc_hz, SECONDS(guest_us), SECONDS(dumping_us),
		 park->dumps);
}

bool counters_dump_line(const struct partition *p)
{
	while (dump.vp < p->vp_count) {
		const struct vp *vp = p->vp[dump.vp];
		u32 row = dump.row++;

		if (row == ROW_END) {
			dump.vp++;
			dump.row = 0;
		} else if (print_row(vp, &vp->dumped, 1, row, log_info)) {
			return true;
		}
	}
	return false;
}

void counters_dump_end(const struct partition *p, u64 ticks)
{
	u64 us = to_us(p, ticks);

	log_info("dump %u: took=%llu.%06llu", dump.number, SECONDS(us));
	log_info("counters: end");
}

void counters_dump(const struct partition *p, const char *why)
{
	u64 begin_tsc = hw_tsc();

	counters_dump_begin(p, why);
	while (counters_dump_line(p))
		;
	counters_dump_end(p, hw_tsc() - begin_tsc);
}
