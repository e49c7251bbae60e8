/* SPDX-License-Identifier: BSD-2-Clause */
/* Measurement of the TSC frequency, with its error bound (rule T3). Pure. Context: boot. */
#include "core/time/tsc_measure.h"

#include "core/lib/bits.h"
#include "core/lib/err.h"
#include "core/lib/mul128.h"

#define START_READINGS 8u
#define STALLED_READS  1000000u /* readings without a tick: the source is dead */
#define TRIES          3u
#define PPM            1000000u
#define PPB            1000000000ull
#define PPB_PER_PPM    (PPB / PPM)

struct progress {
	struct tick_reading start, last;
	u64 ticks;   /* from start to last, over all wraps */
	u64 gap_tsc; /* the longest time between two readings */
};

static u64 span_tsc(const struct tick_reading *r)
{
	return r->after_tsc - r->before_tsc;
}

static u64 middle_tsc(const struct tick_reading *r)
{
	return r->before_tsc + span_tsc(r) / 2;
}

/* The fastest of several readings relates the two counters best. */
static struct tick_reading first_reading(const struct tick_source *src)
{
	struct tick_reading best = src->read();

	for (u32 i = 1; i < START_READINGS; i++) {
		struct tick_reading r = src->read();

		if (span_tsc(&r) < span_tsc(&best))
			best = r;
	}
	return best;
}

static void advance(const struct tick_source *src, struct progress *p)
{
	struct tick_reading r = src->read();

	p->ticks += (r.ticks - p->last.ticks) & src->mask;
	p->gap_tsc = umax64(p->gap_tsc, r.after_tsc - p->last.before_tsc);
	p->last = r;
}

/*
 * Both counters are taken in the middle of a reading and of a tick: each end is off by at most half
 * its span and half a tick.
 */
static u64 error_ppb(const struct progress *p, u64 elapsed_tsc)
{
	u64 tick_tsc = elapsed_tsc / p->ticks + 1;
	u64 spans_tsc = span_tsc(&p->start) + span_tsc(&p->last);

	return mul_u64_u64_div_u64(tick_tsc + spans_tsc / 2 + 1, PPB, elapsed_tsc);
}

/* A wrap that passes between two readings is lost. */
static bool may_have_lost_a_wrap(const struct tick_source *src, const struct progress *p, u64 hz)
{
	return mul_u64_u64_div_u64(p->gap_tsc, src->hz, hz) > src->mask / 2;
}

/* ERR_NODEV: the source does not count. ERR_AGAIN: a wrap may be lost. */
static err_t measure_once(const struct tick_source *src, u32 want_ppm, struct tsc_measurement *m)
{
	struct progress p = { .start = first_reading(src) };
	u64 limit = src->hz * TSC_MEASURE_LIMIT_MS / 1000;
	u64 best_ppb = ~0ull, hz = 0, stalled = 0;

	p.last = p.start;
	while (p.ticks < limit && best_ppb > want_ppm * PPB_PER_PPM) {
		u64 ticks = p.ticks, elapsed_tsc, ppb;

		advance(src, &p);
		stalled = p.ticks == ticks ? stalled + 1 : 0;
		if (stalled == STALLED_READS)
			return ERR_NODEV;
		elapsed_tsc = middle_tsc(&p.last) - middle_tsc(&p.start);
		if (p.ticks == 0 || elapsed_tsc == 0)
			continue;
		ppb = error_ppb(&p, elapsed_tsc);
		if (ppb > best_ppb)
			continue;
		best_ppb = ppb;
		hz = mul_u64_u64_div_u64(elapsed_tsc, src->hz, p.ticks);
	}
	if (may_have_lost_a_wrap(src, &p, hz))
		return ERR_AGAIN;
	*m = (struct tsc_measurement){
		.hz = hz,
		.error_ppm = (u32)umin64((best_ppb + PPB_PER_PPM - 1) / PPB_PER_PPM, PPM),
	};
	return ERR_NONE;
}

struct tsc_measurement tsc_measure(const struct tick_source *src, u32 want_ppm)
{
	struct tsc_measurement m = { 0 };

	for (u32 i = 0; i < TRIES && measure_once(src, want_ppm, &m) == ERR_AGAIN; i++)
		;
	return m;
}
