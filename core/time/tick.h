/* SPDX-License-Identifier: BSD-2-Clause */
/* Counters of known frequency, to measure the TSC with: what drivers give to tsc_measure(). */
#pragma once

#include "core/lib/types.h"

/* The counter had the value @ticks at some moment between two readings of the TSC. */
struct tick_reading {
	u64 before_tsc, after_tsc;
	u64 ticks;
};

struct tick_source {
	const char *name;
	u64 hz;
	u64 mask; /* width of the counter: 2^n - 1 */
	/* The TSC is read right around the one access that samples the counter. */
	struct tick_reading (*read)(void);
};
