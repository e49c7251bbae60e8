/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/tsc_skew.c against two simulated CPUs whose skew is known. */
#include "tests/host/harness.h"

#include "core/time/tsc_skew.h"

static u64 now; /* of the asking CPU */

static struct tsc_exchange exchange(s64 skew, u64 there, u64 back)
{
	struct tsc_exchange e = { .start_tsc = now };

	now += there;
	e.remote_tsc = now + (u64)skew;
	now += back;
	e.end_tsc = now;
	now += 1000;
	return e;
}

static struct tsc_skew measure(s64 skew, u64 fastest, u64 jitter)
{
	struct tsc_skew s = TSC_SKEW_UNKNOWN;

	for (u32 i = 0; i < 32; i++) {
		struct tsc_exchange e = exchange(skew, fastest + test_rng() % jitter,
						 fastest + test_rng() % jitter);

		tsc_skew_add(&s, &e);
	}
	return s;
}

/* Any skew, either way; answers that take longer there than back. TSCs may wrap. */
static void test_skew_is_within_the_error(void)
{
	for (u32 i = 0; i < 20000; i++) {
		s64 skew = (s64)test_rng() >> (4 + test_rng() % 60);
		struct tsc_skew s;
		u64 off;

		now = test_rng();
		s = measure(skew, 1 + test_rng() % 500, 1 + test_rng() % 5000);
		off = (u64)(skew > tsc_skew_offset(&s) ? skew - tsc_skew_offset(&s)
						       : tsc_skew_offset(&s) - skew);
		EXPECT_LE(off, tsc_skew_error(&s));
	}
}

/* Seen as soon as it is larger than a message takes; then a guest could see it, too. */
static void test_in_step(void)
{
	now = 5;
	for (u32 i = 0; i < 1000; i++) {
		struct tsc_skew s = measure(0, 100, 50);

		EXPECT_TRUE(tsc_skew_is_in_step(&s));
		s = measure(99, 100, 50);
		EXPECT_TRUE(tsc_skew_is_in_step(&s));
		s = measure(150, 100, 50);
		EXPECT_FALSE(tsc_skew_is_in_step(&s));
		s = measure(-150, 100, 50);
		EXPECT_FALSE(tsc_skew_is_in_step(&s));
	}
}

/* What boot does: move the TSC by the offset, measure again. */
static void test_moving_by_the_offset_brings_it_into_step(void)
{
	for (u32 i = 0; i < 1000; i++) {
		s64 skew = (s64)test_rng() >> (10 + test_rng() % 40);
		struct tsc_skew s;

		s = measure(skew, 100, 300);
		skew -= tsc_skew_offset(&s);
		s = measure(skew, 100, 300);
		EXPECT_TRUE(tsc_skew_is_in_step(&s));
	}
}

/* It drifts, or an outer hypervisor moves it: the exchanges contradict each other. */
static void test_a_moving_tsc_is_not_in_step(void)
{
	struct tsc_skew s = TSC_SKEW_UNKNOWN;

	EXPECT_TRUE(tsc_skew_is_in_step(&s)); /* nothing said against it */
	for (s64 skew = -1000; skew <= 1000; skew += 100) {
		struct tsc_exchange e = exchange(skew, 100, 100);

		tsc_skew_add(&s, &e);
	}
	EXPECT_FALSE(tsc_skew_is_in_step(&s));
	EXPECT_GE(s.low, s.high);
	EXPECT_EQ(0, tsc_skew_error(&s));
}

TEST_MAIN(TEST(test_skew_is_within_the_error), TEST(test_in_step),
	  TEST(test_moving_by_the_offset_brings_it_into_step),
	  TEST(test_a_moving_tsc_is_not_in_step))
