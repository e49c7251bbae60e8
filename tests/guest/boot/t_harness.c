// SPDX-License-Identifier: BSD-2-Clause
// The harness itself: tests that must fail. The row guest-harness reads what is said of them.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"

/* Not known to the compiler. */
static volatile u32 none;

static void harness_unchecked(void)
{
	for (u32 i = 0; i < none; i++)
		EXPECT_EQ(i, none);
}

static void harness_says_where(void)
{
	for (u32 i = 0; i < 3; i++)
		EXPECT_AT(i == none, "round %u", i);
}

static const struct test t_harness_tests[] = {
	{ .name = "harness_unchecked", .run = harness_unchecked, .flags = T_SOLO },
	{ .name = "harness_says_where", .run = harness_says_where, .flags = T_SOLO },
};
TEST_GROUP(t_harness);
