/* SPDX-License-Identifier: BSD-2-Clause */
/* Minimum, median and maximum of a few measurements. Pure. */
#include "core/lib/stats.h"

void stats_add(struct stats *s, u64 val)
{
	u32 i = s->count;

	if (i == STATS_MAX)
		return;
	for (; i > 0 && s->sorted[i - 1] > val; i--)
		s->sorted[i] = s->sorted[i - 1];
	s->sorted[i] = val;
	s->count++;
}

u64 stats_min(const struct stats *s)
{
	return s->count != 0 ? s->sorted[0] : 0;
}

u64 stats_median(const struct stats *s)
{
	return s->count != 0 ? s->sorted[(s->count - 1) / 2] : 0;
}

u64 stats_max(const struct stats *s)
{
	return s->count != 0 ? s->sorted[s->count - 1] : 0;
}
