/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/stats.c against qsort(). */
#include "tests/host/harness.h"

#include "core/lib/stats.h"

static int compare(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void test_any_order_gives_the_sorted_answers(void)
{
	for (u32 round = 0; round < 500; round++) {
		u32 n = 1 + (u32)(test_rng() % STATS_MAX);
		u64 val[STATS_MAX];
		struct stats s = { 0 };

		for (u32 i = 0; i < n; i++) {
			val[i] = test_rng() >> (test_rng() % 64);
			stats_add(&s, val[i]);
		}
		qsort(val, n, sizeof(*val), compare);
		EXPECT_EQ(val[0], stats_min(&s));
		EXPECT_EQ(val[(n - 1) / 2], stats_median(&s));
		EXPECT_EQ(val[n - 1], stats_max(&s));
	}
}

static void test_none_and_too_many(void)
{
	struct stats s = { 0 };

	EXPECT_EQ(0, stats_min(&s) | stats_median(&s) | stats_max(&s));
	for (u32 i = 0; i < 2 * STATS_MAX; i++)
		stats_add(&s, i);
	EXPECT_EQ(STATS_MAX, s.count);
	EXPECT_EQ(STATS_MAX - 1, stats_max(&s));
}

TEST_MAIN(TEST(test_any_order_gives_the_sorted_answers), TEST(test_none_and_too_many))
