/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reference time, in units of 100 ns: a function of a TSC that a guest can compute, too. Its form
 * is an ABI's (hv/hyperv/time.c), the arithmetic is here. Pure.
 */
#pragma once

#include "core/lib/mul128.h"
#include "core/lib/types.h"

#define REF_TIME_HZ    10000000u
#define REF_TIME_SHIFT 48

/*
 * Time = ((TSC * scale) >> 64) + offset, where TSC = machine's TSC + tsc_offset: what a VP with
 * that TSC offset reads. Guests compute it from what they read: both sides must round alike.
 */
struct ref_time {
	u64 scale; /* floor(REF_TIME_HZ * 2^64 / Hz) */
	u64 tsc_offset;
	u64 offset;       /* two's complement */
	u64 tsc_per_unit; /* << REF_TIME_SHIFT, rounded up */
};

/* ref_time_init() - @r is @time when the machine's TSC is @tsc, and has no TSC offset. @tsc_hz is
 * above REF_TIME_HZ. */
void ref_time_init(struct ref_time *r, u64 tsc_hz, u64 tsc, u64 time);

/**
 * ref_time_shift() - the time of @r, which has no TSC offset, as a function of the TSC of VPs with
 * @tsc_offset (two's complement). At any moment it is the same or one unit later.
 */
struct ref_time ref_time_shift(const struct ref_time *r, u64 tsc_offset);

/* ref_time_units() - units that half of the range of a TSC has. */
static inline u64 ref_time_units(const struct ref_time *r)
{
	return r->scale / 2;
}

/* ref_time_ticks() - TSC ticks of @units, below ref_time_units(): never less, at most two more, and
 * one more for each year. */
static inline u64 ref_time_ticks(const struct ref_time *r, u64 units)
{
	return mul_u64_u64_shr(units, r->tsc_per_unit, REF_TIME_SHIFT) + 1;
}

/**
 * ref_time_tsc() - tsc + tsc_offset from which on the time is @time or more: never early, and late
 * by less than a unit and three ticks. 0: it was before 0. ~0: never, or so late that the TSC is
 * near its end.
 */
u64 ref_time_tsc(const struct ref_time *r, u64 time);

/* ref_time_at() - the time when the machine's TSC is @tsc. Until @tsc + tsc_offset wraps. */
static inline u64 ref_time_at(const struct ref_time *r, u64 tsc)
{
	return mul_u64_u64_shr(tsc + r->tsc_offset, r->scale, 64) + r->offset;
}
