/* SPDX-License-Identifier: BSD-2-Clause */
/* See ref_time.h. Pure. */
#include "core/time/ref_time.h"

#include "core/diag/panic.h"

void ref_time_init(struct ref_time *r, u64 tsc_hz, u64 tsc, u64 time)
{
	u64 rem;

	ASSERT(tsc_hz > REF_TIME_HZ);
	*r = (struct ref_time){ .scale = div_u128_u64(REF_TIME_HZ, 0, tsc_hz, &rem) };
	r->offset = time - ref_time_at(r, tsc);
	ASSERT(tsc_hz >> (64 - REF_TIME_SHIFT) < REF_TIME_HZ);
	r->tsc_per_unit = div_u128_u64(1ull << REF_TIME_SHIFT, 0, r->scale, &rem) + 1;
}

struct ref_time ref_time_shift(const struct ref_time *r, u64 tsc_offset)
{
	struct ref_time s = *r;
	u64 units = mul_u64_u64_shr(tsc_offset, r->scale, 64);

	s.tsc_offset = tsc_offset;
	if ((s64)tsc_offset < 0) /* taken for 2^64 more than it is: exactly @scale units */
		units -= r->scale;
	s.offset -= units;
	return s;
}

u64 ref_time_tsc(const struct ref_time *r, u64 time)
{
	bool is_negative = (s64)r->offset < 0;
	u64 units = time - r->offset, tsc, over;

	if (!is_negative && time < r->offset)
		return 0;
	if ((is_negative && units < time) || units >= ref_time_units(r))
		return ~0ull;
	tsc = ref_time_ticks(r, units);
	over = mul_u64_u64_shr(tsc, r->scale, 64) - units;
	return over == 0 ? tsc : tsc + 2 - ref_time_ticks(r, over);
}
