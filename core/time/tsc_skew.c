/* SPDX-License-Identifier: BSD-2-Clause */
/* How far another CPU's TSC is from ours (rule T2). Pure. */
#include "core/time/tsc_skew.h"

void tsc_skew_add(struct tsc_skew *s, const struct tsc_exchange *e)
{
	s64 low = (s64)(e->remote_tsc - e->end_tsc);
	s64 high = (s64)(e->remote_tsc - e->start_tsc);

	if (low > s->low)
		s->low = low;
	if (high < s->high)
		s->high = high;
}

bool tsc_skew_is_in_step(const struct tsc_skew *s)
{
	return s->low <= 0 && s->high >= 0;
}

s64 tsc_skew_offset(const struct tsc_skew *s)
{
	return s->low + (s->high - s->low) / 2;
}

u64 tsc_skew_error(const struct tsc_skew *s)
{
	return s->high > s->low ? (u64)(s->high - s->low + 1) / 2 : 0;
}
