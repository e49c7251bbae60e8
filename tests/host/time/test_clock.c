/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/clock.c */
#include "tests/host/harness.h"

#include "core/time/clock.h"

static struct clock make(u64 hz)
{
	struct clock c;

	EXPECT_EQ(ERR_NONE, clock_init(&c, hz, 0, 0));
	return c;
}

static u64 random_hz(void)
{
	return 11000000 + test_rng() % 99989000000ull;
}

/* Check values of surfaces.md 1.4. */
static void test_scale_check_values(void)
{
	static const struct {
		u64 hz;
		s8 shift;
		u32 mul;
	} want[] = {
		{ 1000000000, 1, 0x80000000 },  { 2000000000, 0, 0x80000000 },
		{ 2400000000, -1, 0xd5555555 }, { 3000000000, -1, 0xaaaaaaaa },
		{ 500000000, 2, 0x80000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		struct clock c = make(want[i].hz);

		EXPECT_EQ(want[i].shift, c.shift);
		EXPECT_EQ(want[i].mul, c.mul);
	}
}

static void test_range(void)
{
	struct clock c;

	EXPECT_EQ(ERR_RANGE, clock_init(&c, 0, 0, 0));
	EXPECT_EQ(ERR_RANGE, clock_init(&c, 10999999, 0, 0));
	EXPECT_EQ(ERR_RANGE, clock_init(&c, 100000000001ull, 0, 0));
	EXPECT_EQ(ERR_NONE, clock_init(&c, 11000000, 0, 0));
	EXPECT_EQ(ERR_NONE, clock_init(&c, 100000000000ull, 0, 0));
	EXPECT_TRUE(c.synced);
}

/* mul has 32 bits: the relative error stays under 2^-30 and the odd bit that a shift drops. */
static void test_conversion_is_close_to_exact(void)
{
	for (int i = 0; i < 200000; i++) {
		struct clock c = make(random_hz());
		u64 d = test_rng() >> (test_rng() % 64);
		unsigned __int128 exact = (unsigned __int128)d * 1000000000 / c.tsc_hz;
		u64 got = clock_tsc_to_ns(&c, d);
		u64 slack = (u64)(exact >> 29) + 2000000000 / c.tsc_hz + 2;

		if (exact >> 63 != 0)
			continue;
		EXPECT_LE(got, (u64)exact + slack);
		EXPECT_GE(got + slack, (u64)exact);
	}
}

static void test_time_never_goes_back(void)
{
	for (int i = 0; i < 1000; i++) {
		struct clock c = make(random_hz());
		u64 tsc = test_rng() >> 20, last = 0;

		c.boot_tsc = tsc;
		for (int k = 0; k < 200; k++) {
			u64 now = clock_now_ns(&c, tsc);

			EXPECT_GE(now, last);
			last = now;
			tsc += test_rng() % 5000;
		}
	}
}

/* Exact ceiling: a deadline in TSC is never before the time in ns. */
static void test_ns_to_tsc_is_the_ceiling(void)
{
	for (int i = 0; i < 200000; i++) {
		struct clock c = make(random_hz());
		u64 ns = test_rng() >> (test_rng() % 64);
		unsigned __int128 exact =
			((unsigned __int128)ns * c.tsc_hz + 999999999) / 1000000000;

		EXPECT_EQ(exact >> 64 ? ~0ull : (u64)exact, clock_ns_to_tsc(&c, ns));
	}
}

static void test_boot_tsc_is_zero(void)
{
	struct clock c;

	EXPECT_EQ(ERR_NONE, clock_init(&c, 2000000000, 12345, 0));
	EXPECT_EQ(0, clock_now_ns(&c, 12345));
	EXPECT_EQ(500, clock_now_ns(&c, 12345 + 1000));
}

/* --- Rule T3 --- */

static struct tsc_decision decide(u64 cpuid_hz, u64 measured_hz, u32 ppm)
{
	struct tsc_sources s = { .cpuid_hz = cpuid_hz,
				 .measured_hz = measured_hz,
				 .tolerance_ppm = ppm };
	struct tsc_decision d;

	EXPECT_EQ(ERR_NONE, tsc_decide(&s, &d));
	return d;
}

static void test_decision(void)
{
	struct tsc_sources s = { .tolerance_ppm = 250 };
	struct tsc_decision d;

	EXPECT_EQ(ERR_NODEV, tsc_decide(&s, &d));
	d = decide(3500000000, 20000000, 250); /* Bochs: CPUID says 3.5 GHz, ips is 20 M */
	EXPECT_EQ(20000000, d.tsc_hz);
	EXPECT_FALSE(d.cpuid_trusted);
	d = decide(2400000000, 2400500000, 250); /* 208 ppm: CPUID is the better number */
	EXPECT_EQ(2400000000, d.tsc_hz);
	EXPECT_TRUE(d.cpuid_trusted);
	EXPECT_EQ(208, d.deviation_ppm);
	d = decide(2400000000, 2400700000, 250); /* 291 ppm */
	EXPECT_EQ(2400700000, d.tsc_hz);
	EXPECT_FALSE(d.cpuid_trusted);
	s = (struct tsc_sources){ 2400000000, 2400700000, 300, "PIT", 250 };
	EXPECT_EQ(ERR_NONE, tsc_decide(&s, &d)); /* within the error of the measurement */
	EXPECT_EQ(2400000000, d.tsc_hz);
	d = decide(2400000000, 0, 250);
	EXPECT_EQ(2400000000, d.tsc_hz);
	EXPECT_TRUE(d.cpuid_trusted);
	d = decide(0, 2400000000, 250);
	EXPECT_EQ(2400000000, d.tsc_hz);
	EXPECT_FALSE(d.cpuid_trusted);
	d = decide(~0ull, 1, 250);
	EXPECT_EQ(1, d.tsc_hz);
}

TEST_MAIN(TEST(test_scale_check_values), TEST(test_range), TEST(test_conversion_is_close_to_exact),
	  TEST(test_time_never_goes_back), TEST(test_ns_to_tsc_is_the_ceiling),
	  TEST(test_boot_tsc_is_zero), TEST(test_decision))
