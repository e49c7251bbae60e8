/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/tsc_measure.c against a simulated counter whose real frequency is known. */
#include "tests/host/harness.h"

#include "core/time/tsc_measure.h"

#define PM_HZ   3579545u
#define PIT_HZ  1193182u
#define HPET_HZ 14318180u
#define TSC_HZ  2400000000ull

typedef unsigned __int128 u128;

/* Time is the TSC. Accesses take @before ticks to the moment of sampling, @after from there. */
static struct sim {
	u64 now_tsc, tsc_hz, hz, mask, phase;
	u64 before, after, jitter, between;
	u64 gap_at_tsc, gap_tsc; /* an SMI: longer than a reading, once */
	u64 reads;
	bool dead;
} sim;

static u64 jitter(void)
{
	return sim.jitter != 0 ? test_rng() % sim.jitter : 0;
}

static struct tick_reading read_sim(void)
{
	struct tick_reading r;

	sim.reads++;
	if (sim.gap_tsc != 0 && sim.now_tsc >= sim.gap_at_tsc) {
		sim.now_tsc += sim.gap_tsc;
		sim.gap_tsc = 0;
	}
	r.before_tsc = sim.now_tsc;
	sim.now_tsc += sim.before + jitter();
	r.ticks = sim.dead
			  ? 0
			  : (u64)((u128)(sim.now_tsc + sim.phase) * sim.hz / sim.tsc_hz) & sim.mask;
	sim.now_tsc += sim.after + jitter();
	r.after_tsc = sim.now_tsc;
	sim.now_tsc += sim.between;
	return r;
}

static struct tick_source source(u64 hz, u64 mask)
{
	sim = (struct sim){ .tsc_hz = TSC_HZ, .hz = hz, .mask = mask, .between = 50 };
	return (struct tick_source){ .name = "sim", .hz = hz, .mask = mask, .read = read_sim };
}

static u64 off_ppb(u64 hz)
{
	u64 off = hz > sim.tsc_hz ? hz - sim.tsc_hz : sim.tsc_hz - hz;

	return (u64)((u128)off * 1000000000 / sim.tsc_hz);
}

/* What the bound promises, whatever the counter, its phase, and the time of an access. */
static void test_error_is_within_the_bound(void)
{
	static const struct {
		u64 hz, mask;
	} counter[] = { { PM_HZ, 0xffffff },
			{ PM_HZ, 0xffffffff },
			{ HPET_HZ, 0xffffffff },
			{ PIT_HZ, 0xffff } };

	for (u32 i = 0; i < 60; i++) {
		u32 which = i % ARRAY_SIZE(counter), want = 5 + (u32)(test_rng() % 200);
		struct tick_source src = source(counter[which].hz, counter[which].mask);
		struct tsc_measurement m;
		u64 start;

		sim.tsc_hz = 20000000 + test_rng() % 5000000000ull;
		sim.now_tsc = start = test_rng() >> 24;
		sim.phase = test_rng() >> 24;
		sim.before = 1 + sim.tsc_hz / 1000000 * (test_rng() % 4); /* up to 3 us */
		sim.after = 1 + sim.tsc_hz / 1000000 * (test_rng() % 4);
		sim.jitter = 1 + test_rng() % 1000;
		m = tsc_measure(&src, want);
		EXPECT_GE(m.hz, 1);
		EXPECT_LE(off_ppb(m.hz), (u64)m.error_ppm * 1000);
		EXPECT_LE(sim.now_tsc - start, sim.tsc_hz * 251 / 1000);
		if (m.error_ppm > want)
			EXPECT_GE(sim.now_tsc - start, sim.tsc_hz * 249 / 1000);
	}
}

/* Quick reads: 5 ppm long before the limit. Slow ones: what 250 ms give, and it says so. */
static void test_ends_as_soon_as_it_is_good_enough(void)
{
	struct tick_source src = source(PM_HZ, 0xffffff);
	struct tsc_measurement m;

	sim.before = sim.after = 240; /* 0.1 us each; a tick of the counter is 0.28 us */
	m = tsc_measure(&src, 5);
	EXPECT_LE(m.error_ppm, 5);
	EXPECT_LE(sim.now_tsc, TSC_HZ / 1000 * 100);
	EXPECT_GE(sim.now_tsc, TSC_HZ / 1000 * 90); /* 0.48 us are 5 ppm of 96 ms */
	m = tsc_measure(&src, 100);
	EXPECT_LE(m.error_ppm, 100);

	src = source(PM_HZ, 0xffffff);
	sim.before = sim.after = 24000; /* 10 us each: an exit to an outer hypervisor */
	m = tsc_measure(&src, 5);
	EXPECT_GE(m.error_ppm, 80); /* 20.3 us of 250 ms */
	EXPECT_LE(m.error_ppm, 83);
	EXPECT_LE(off_ppb(m.hz), 83000);
}

/* 250 ms are almost five rounds of the 8254. */
static void test_wraps_are_followed(void)
{
	struct tick_source src = source(PIT_HZ, 0xffff);
	struct tsc_measurement m;

	sim.before = sim.after = 2400;
	m = tsc_measure(&src, 1);
	EXPECT_GE(sim.now_tsc, TSC_HZ / 1000 * 249);
	EXPECT_LE(m.error_ppm, 13);
	EXPECT_LE(off_ppb(m.hz), 13000);
}

/* A gap that may hide a wrap: measured again, never a wrong result. A short one is harmless. */
static void test_gaps(void)
{
	for (u64 ms = 1; ms <= 300; ms += 7) {
		for (u32 at_ms = 0; at_ms < 250; at_ms += 60) {
			struct tick_source src = source(PIT_HZ, 0xffff);
			struct tsc_measurement m;

			sim.before = sim.after = 2400;
			sim.gap_at_tsc = TSC_HZ / 1000 * at_ms + 1;
			sim.gap_tsc = TSC_HZ / 1000 * ms;
			m = tsc_measure(&src, 1);
			EXPECT_GE(m.hz, 1);
			EXPECT_LE(off_ppb(m.hz), (u64)m.error_ppm * 1000);
		}
	}
}

/* Interrupted at each reading, as by another guest of an outer hypervisor: nothing to go by. */
static void test_gives_up_where_every_wrap_may_be_lost(void)
{
	struct tick_source src = source(PIT_HZ, 0xffff);

	sim.between = TSC_HZ / 1000 * 40;
	EXPECT_EQ(0, tsc_measure(&src, 5).hz);
}

static void test_dead_source(void)
{
	struct tick_source src = source(PM_HZ, 0xffffff);

	sim.dead = true;
	EXPECT_EQ(0, tsc_measure(&src, 5).hz);
	EXPECT_LE(sim.reads, 1000100); /* tried once */
}

TEST_MAIN(TEST(test_error_is_within_the_bound), TEST(test_ends_as_soon_as_it_is_good_enough),
	  TEST(test_wraps_are_followed), TEST(test_gaps),
	  TEST(test_gives_up_where_every_wrap_may_be_lost), TEST(test_dead_source))
