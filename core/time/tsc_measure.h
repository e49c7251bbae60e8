/* SPDX-License-Identifier: BSD-2-Clause */
/* Measurement of the TSC frequency by another counter, with its error bound (rule T3). Pure. */
#pragma once

#include "core/time/tick.h"

#define TSC_MEASURE_PPM      5u   /* good enough for a guest's clock */
#define TSC_MEASURE_LIMIT_MS 250u /* no boot waits longer for it */

struct tsc_measurement {
	u64 hz;        /* 0: the source does not count, or its wraps could not be followed */
	u32 error_ppm; /* @hz is off by at most this, if the source runs at its frequency */
};

/**
 * tsc_measure() - TSC ticks per second by @src, which has a frequency.
 *
 * Ends as soon as the error bound is @want_ppm, after TSC_MEASURE_LIMIT_MS at the latest. The bound
 * is no estimate: at both ends the counter may be anywhere in its tick, and the moment it was
 * sampled anywhere in the span of its reading. The counter may wrap meanwhile (the PIT does, every
 * 55 ms); a gap between two readings that could hide a wrap (an SMI, an outer hypervisor) begins a
 * new measurement.
 * Context: boot; nothing but @src->read() touches hardware.
 */
struct tsc_measurement tsc_measure(const struct tick_source *src, u32 want_ppm);
