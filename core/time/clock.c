/* SPDX-License-Identifier: BSD-2-Clause */
/* TSC <-> ns <-> 100 ns (rule T2) and the frequency decision (rule T3). Pure. */
#include "core/time/clock.h"

#include "core/lib/bits.h"

#define NS_PER_SECOND 1000000000ull
#define MIN_HZ        11000000ull /* more than REF_TIME_HZ: then scales fit */
#define MAX_HZ        100000000000ull
#define PPM           1000000ull

typedef unsigned __int128 u128;

/*
 * The scale of struct clock: bring the frequency into (1e9, 2e9] by halving or doubling, then
 * mul = 1e9 * 2^32 / f'.
 */
static void scale_from_hz(struct clock *c, u64 hz)
{
	s8 shift = 0;

	while (hz > 2 * NS_PER_SECOND) {
		hz >>= 1;
		shift--;
	}
	while (hz <= NS_PER_SECOND) {
		hz <<= 1;
		shift++;
	}
	c->shift = shift;
	c->mul = (u32)((NS_PER_SECOND << 32) / hz);
}

err_t clock_init(struct clock *c, u64 tsc_hz, u64 boot_tsc, u64 boot_wall_ns)
{
	if (tsc_hz < MIN_HZ || tsc_hz > MAX_HZ)
		return ERR_RANGE;
	*c = (struct clock){
		.tsc_hz = tsc_hz,
		.boot_tsc = boot_tsc,
		.boot_wall_ns = boot_wall_ns,
		.in_step = true,
		.synced = true,
	};
	scale_from_hz(c, tsc_hz);
	return ERR_NONE;
}

void clock_set_hz(struct clock *c, u64 tsc_hz, u64 from_tsc, u64 to_tsc)
{
	c->boot_ns = clock_now_ns(c, from_tsc);
	c->boot_tsc = to_tsc;
	c->tsc_hz = tsc_hz;
	scale_from_hz(c, tsc_hz);
}

void clock_out_of_step(struct clock *c)
{
	c->in_step = false;
	c->synced = false;
}

/* The formula that guests use: both sides must round alike. */
u64 clock_tsc_to_ns(const struct clock *c, u64 delta_tsc)
{
	u128 d = delta_tsc;

	d = c->shift >= 0 ? d << c->shift : d >> -c->shift;
	return (u64)((d * c->mul) >> 32);
}

/* Splits off whole seconds: a 128-bit division would need a runtime library. */
u64 clock_ns_to_tsc(const struct clock *c, u64 delta_ns)
{
	u64 seconds = delta_ns / NS_PER_SECOND;
	u64 ns = delta_ns % NS_PER_SECOND;
	u64 part = ns * (c->tsc_hz / NS_PER_SECOND) +
		   (ns * (c->tsc_hz % NS_PER_SECOND) + NS_PER_SECOND - 1) / NS_PER_SECOND;
	u64 tsc;

	if (__builtin_mul_overflow(seconds, c->tsc_hz, &tsc) ||
	    __builtin_add_overflow(tsc, part, &tsc))
		return ~0ull;
	return tsc;
}

u64 clock_now_ns(const struct clock *c, u64 now_tsc)
{
	return c->boot_ns + clock_tsc_to_ns(c, now_tsc - c->boot_tsc);
}

static u64 deviation_ppm(u64 a, u64 b)
{
	u64 scaled;

	if (__builtin_mul_overflow(a > b ? a - b : b - a, PPM, &scaled))
		return ~0ull;
	return scaled / b;
}

err_t tsc_decide(const struct tsc_sources *s, struct tsc_decision *d)
{
	if (s->cpuid_hz == 0 && s->measured_hz == 0)
		return ERR_NODEV;
	if (s->measured_hz == 0) {
		*d = (struct tsc_decision){ .tsc_hz = s->cpuid_hz, .cpuid_trusted = true };
		return ERR_NONE;
	}
	if (s->cpuid_hz == 0) {
		*d = (struct tsc_decision){ .tsc_hz = s->measured_hz };
		return ERR_NONE;
	}
	d->deviation_ppm = deviation_ppm(s->cpuid_hz, s->measured_hz);
	d->cpuid_trusted = d->deviation_ppm <= umax64(s->tolerance_ppm, s->error_ppm);
	d->tsc_hz = d->cpuid_trusted ? s->cpuid_hz : s->measured_hz;
	return ERR_NONE;
}
