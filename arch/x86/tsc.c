/* SPDX-License-Identifier: BSD-2-Clause */
/* Measurement of the TSC frequency (rule T3). Context: boot. */
#include "arch/x86/tsc.h"

#include "arch/x86/insn.h"
#include "core/lib/mul128.h"

#define SAMPLES       8u
#define STALLED_READS 1000000u /* reads without a tick: the source is dead */

struct sample {
	u64 tsc, ticks;
};

/* The fastest of several reads relates the two counters best. */
static struct sample sample_take(const struct tick_source *src)
{
	struct sample best = { 0 };
	u64 best_span_tsc = ~0ull;

	for (u32 i = 0; i < SAMPLES; i++) {
		u64 before_tsc = rdtsc();
		u64 ticks = src->read();
		u64 span_tsc = rdtsc() - before_tsc;

		if (span_tsc < best_span_tsc) {
			best_span_tsc = span_tsc;
			best = (struct sample){ .tsc = before_tsc + span_tsc / 2, .ticks = ticks };
		}
	}
	return best;
}

u64 tsc_measure(const struct tick_source *src)
{
	u64 want = src->hz * TSC_MEASURE_MS / 1000;
	struct sample start = sample_take(src), end;
	u64 ticks = 0, stalled = 0;

	while (ticks < want) {
		u64 now = (src->read() - start.ticks) & src->mask;

		stalled = now == ticks ? stalled + 1 : 0;
		if (stalled == STALLED_READS)
			return 0;
		ticks = now;
	}
	end = sample_take(src);
	ticks = (end.ticks - start.ticks) & src->mask;
	return mul_u64_u64_div_u64(end.tsc - start.tsc, src->hz, ticks);
}

u64 tsc_cpuid_hz(void)
{
	u32 max = cpuid(0, 0).a;
	struct cpuid_regs r;

	if (max >= 0x15) {
		r = cpuid(0x15, 0); /* crystal Hz (c) * numerator (b) / denominator (a) */
		if (r.a != 0 && r.b != 0 && r.c != 0)
			return (u64)r.c * r.b / r.a;
	}
	if (max >= 0x16)
		return (u64)(cpuid(0x16, 0).a & 0xffff) * 1000000;
	return 0;
}
