/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/mul128.h against the host compiler's own 128-bit arithmetic. */
#include "core/lib/mul128.h"

#include "tests/host/harness.h"

static u64 random_magnitude(void)
{
	return test_rng() >> (test_rng() % 64);
}

static void test_division_is_exact_or_saturates(void)
{
	EXPECT_EQ(~0ull, mul_u64_u64_div_u64(1, 1, 0));
	EXPECT_EQ(~0ull, mul_u64_u64_div_u64(~0ull, ~0ull, 1));
	EXPECT_EQ(~0ull, mul_u64_u64_div_u64(~0ull, ~0ull, ~0ull));
	for (u32 i = 0; i < 100000; i++) {
		u64 a = random_magnitude(), b = random_magnitude(), c = random_magnitude() | 1;
		unsigned __int128 quotient = (unsigned __int128)a * b / c;
		u64 want = quotient >> 64 != 0 ? ~0ull : (u64)quotient;

		EXPECT_EQ(want, mul_u64_u64_div_u64(a, b, c));
	}
}

static void test_shifts_keep_the_middle(void)
{
	EXPECT_EQ(1, mul_u64_u64_shr(1ull << 63, 2, 64));
	EXPECT_EQ(~0ull - 1, mul_u64_u64_shr(~0ull, ~0ull, 64));
	EXPECT_EQ(6, mul_u64_u32_shr(3, 2, 0));
}

TEST_MAIN(TEST(test_division_is_exact_or_saturates), TEST(test_shifts_keep_the_middle))
