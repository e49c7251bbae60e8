/* SPDX-License-Identifier: BSD-2-Clause */
/* Minimum, median and maximum of a few measurements. Pure. */
#pragma once

#include "core/lib/types.h"

#define STATS_MAX 128u

struct stats {
	u32 count;
	u64 sorted[STATS_MAX]; /* ascending */
};

/* stats_add() - insert in order; dropped when STATS_MAX are in. */
void stats_add(struct stats *s, u64 val);

/* All 0 when there is none. The median of an even count is the lower of the two in the middle. */
u64 stats_min(const struct stats *s);
u64 stats_median(const struct stats *s);
u64 stats_max(const struct stats *s);
