/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/ref_time.c against exact arithmetic: the model divides 128-bit numbers. */
#include "tests/host/harness.h"

#include "core/time/ref_time.h"

typedef unsigned __int128 u128;
typedef __int128 s128;

static u64 random_hz(void)
{
	return 10000001 + test_rng() % 99989999999ull;
}

/* A moment of the machine's TSC within 146 years at 2 GHz, small ones as often as large ones. */
static u64 random_tsc(void)
{
	return test_rng() >> (1 + test_rng() % 50);
}

/* The guest's half of the page: its own TSC, the scale and the offset, nothing else. */
static u64 guest_time(const struct ref_time *r, u64 guest_tsc)
{
	return (u64)(((u128)guest_tsc * r->scale) >> 64) + r->offset;
}

/* Check values of the TLFS's formula for round frequencies. */
static void test_scale(void)
{
	static const struct {
		u64 hz, scale;
	} want[] = {
		{ 10000001, 0xfffffe5280d924c8 },
		{ 2000000000, 0x0147ae147ae147ae },
		{ 3000000000, 0x00da740da740da74 },
		{ 100000000000, 0x00068db8bac710cb },
	};

	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		struct ref_time r;

		ref_time_init(&r, want[i].hz, 0, 0);
		EXPECT_EQ(want[i].scale, r.scale);
	}
	for (u32 i = 0; i < 100000; i++) { /* floor(2^64 * 10^7 / hz) */
		u64 hz = random_hz();
		struct ref_time r;
		u128 product;

		ref_time_init(&r, hz, 0, 0);
		product = (u128)r.scale * hz;
		EXPECT_TRUE(product <= (u128)10000000 << 64);
		EXPECT_TRUE(product + hz > (u128)10000000 << 64);
	}
}

/* From zero on, within the unit that rounding may add; a scale of 64 bits is exact over 146 years
 * but for one more. */
static void test_time_is_exact(void)
{
	for (u32 i = 0; i < 200000; i++) {
		u64 hz = random_hz(), zero = random_tsc() >> 1, delta = random_tsc() >> 1;
		struct ref_time r;
		u64 exact = (u64)((u128)delta * 10000000 / hz), got;

		ref_time_init(&r, hz, zero, 0);
		EXPECT_EQ(0, ref_time_at(&r, zero));
		got = ref_time_at(&r, zero + delta);
		EXPECT_TRUE(got + 1 >= exact && got <= exact + 1);
		EXPECT_EQ(guest_time(&r, zero + delta), got);
	}
}

/* Whatever offset a VP has: its page says the partition's time, or one unit more. */
static void test_shift(void)
{
	for (u32 i = 0; i < 200000; i++) {
		u64 tsc = random_tsc(), guest_tsc = random_tsc();
		u64 offset = guest_tsc - tsc, base, got;
		struct ref_time r, s;

		ref_time_init(&r, random_hz(), test_rng() % (tsc + 1), 0);
		s = ref_time_shift(&r, offset);
		EXPECT_EQ(offset, s.tsc_offset);
		base = ref_time_at(&r, tsc);
		got = ref_time_at(&s, tsc);
		EXPECT_TRUE(got == base || got == base + 1);
		EXPECT_EQ(guest_time(&s, guest_tsc), got);
	}
}

/* However often the offset changes, the error does not add up. */
static void test_shifts_do_not_drift(void)
{
	struct ref_time r;
	u64 tsc = 1000000, worst = 0;

	ref_time_init(&r, 2345678901, tsc, 0);
	for (u32 i = 0; i < 100000; i++) {
		struct ref_time s = ref_time_shift(&r, test_rng() >> 2);
		u64 ahead;

		tsc += 1000;
		ahead = ref_time_at(&s, tsc) - ref_time_at(&r, tsc);
		worst = ahead > worst ? ahead : worst;
	}
	EXPECT_EQ(1, worst);
}

/* It may begin anywhere, as after a change of the frequency. */
static void test_begins_at_a_time(void)
{
	for (u32 i = 0; i < 100000; i++) {
		u64 at = random_tsc() >> 1, begin = test_rng() >> 1, delta = random_tsc() >> 2;
		u64 hz = random_hz(), exact = (u64)((u128)delta * 10000000 / hz), got;
		struct ref_time r;

		ref_time_init(&r, hz, at, begin);
		EXPECT_EQ(begin, ref_time_at(&r, at));
		got = ref_time_at(&r, at + delta) - begin;
		EXPECT_TRUE(got + 1 >= exact && got <= exact + 1);
	}
}

/* The first TSC of a time, or a little later, whatever the offsets are; with 3 ticks of slack. */
static void test_tsc_of_a_time(void)
{
	for (u32 i = 0; i < 100000; i++) {
		struct ref_time zero, r;
		u64 tsc = random_tsc(), guest_tsc = random_tsc(), time, found;
		s64 early;

		ref_time_init(&zero, random_hz(), tsc, random_tsc() >> 10);
		r = ref_time_shift(&zero, guest_tsc - tsc);
		time = guest_time(&r, guest_tsc) + (random_tsc() >> 10);
		found = ref_time_tsc(&r, time);
		if (found == ~0ull) {
			EXPECT_GE(time - r.offset, ref_time_units(&r));
			continue;
		}
		EXPECT_GE(guest_time(&r, found), time);
		if (found <= 4)
			continue;
		/* By how much it would be early; the time may be one before 0. */
		early = (s64)(time - guest_time(&r, found - 4));
		EXPECT_TRUE(early >= 0);
		if (time - r.offset < 1ull << 45) /* a month */
			EXPECT_TRUE(early >= 1);
	}
}

static void test_tsc_of_extreme_times(void)
{
	struct ref_time r;

	ref_time_init(&r, 2000000000, 0, 1000); /* it began at 1000 */
	EXPECT_EQ(0, ref_time_tsc(&r, 999));
	EXPECT_LE(ref_time_tsc(&r, 1000), 1);
	EXPECT_EQ(~0ull, ref_time_tsc(&r, ~0ull));
	ref_time_init(&r, 2000000000, 2000000000, 0); /* the TSC was running */
	EXPECT_GE(ref_time_tsc(&r, 0), 1999999800);
	EXPECT_LE(ref_time_tsc(&r, 0), 2000000200);
	EXPECT_EQ(~0ull, ref_time_tsc(&r, ~0ull));
	EXPECT_EQ(~0ull, ref_time_tsc(&r, ~0ull - 1000));
}

TEST_MAIN(TEST(test_scale), TEST(test_time_is_exact), TEST(test_shift),
	  TEST(test_shifts_do_not_drift), TEST(test_begins_at_a_time), TEST(test_tsc_of_a_time),
	  TEST(test_tsc_of_extreme_times))
