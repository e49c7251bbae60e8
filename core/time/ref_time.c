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
}

struct ref_time ref_time_shift(const struct ref_time *r, u64 tsc_offset)
{
	struct ref_time s = { .scale = r->scale, .tsc_offset = tsc_offset, .offset = r->offset };
	u64 units = mul_u64_u64_shr(tsc_offset, r->scale, 64);

	if ((s64)tsc_offset < 0) /* taken for 2^64 more than it is: exactly @scale units */
		units -= r->scale;
	s.offset -= units;
	return s;
}
