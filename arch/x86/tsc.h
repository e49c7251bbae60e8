/* SPDX-License-Identifier: BSD-2-Clause */
/* Measurement of the TSC frequency (rule T3). Context: boot. */
#pragma once

#include "core/lib/types.h"

/* A free-running counter of known frequency; drivers fill it in. */
struct tick_source {
	const char *name;
	u64 hz;
	u64 mask; /* counter width; the measurement must be shorter than one wrap */
	u64 (*read)(void);
};

#define TSC_MEASURE_MS 25u /* ends within a PIT wrap of 55 ms */

/* tsc_measure() - TSC ticks per second by @src; 0 when @src does not count. */
u64 tsc_measure(const struct tick_source *src);

/* tsc_cpuid_hz() - by CPUID 0x15, or else 0x16; 0: unknown. */
u64 tsc_cpuid_hz(void);
