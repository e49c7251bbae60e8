/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/fmt.c says what snprintf() says, for everything that fmt.h promises. */
#include "tests/host/harness.h"

#include "core/lib/fmt.h"

/* Same text, same returned length, at buffer sizes from 0 to a full one. */
#define SAME(...)                                                            \
	do {                                                                 \
		char want_[300], got_[300];                                  \
		size_t n_ = (size_t)snprintf(want_, full_size, __VA_ARGS__); \
                                                                             \
		EXPECT_EQ(n_, fmt_print(got_, full_size, __VA_ARGS__));      \
		EXPECT_STREQ(want_, got_);                                   \
		for (volatile size_t size_ = 0; size_ < 12; size_++) {       \
			memset(want_, '#', sizeof(want_));                   \
			memset(got_, '#', sizeof(got_));                     \
			snprintf(want_, size_, __VA_ARGS__);                 \
			fmt_print(got_, size_, __VA_ARGS__);                 \
			EXPECT_MEMEQ(want_, got_, sizeof(want_));            \
		}                                                            \
	} while (0)

/* Volatile, here and above: the compiler must not work out which texts will be cut. */
static volatile size_t full_size = 300;

static const long long values[] = {
	0,
	1,
	-1,
	9,
	10,
	-10,
	255,
	4096,
	2147483647,
	-2147483648ll,
	4294967295ll,
	1ll << 40,
	9223372036854775807ll,
	-9223372036854775807ll - 1,
};

static void test_numbers(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		long long v = values[i];

		SAME("%d|%i|%u|%x|%X", (int)v, (int)v, (unsigned)v, (unsigned)v, (unsigned)v);
		SAME("%ld|%lu|%lx", (long)v, (unsigned long)v, (unsigned long)v);
		SAME("%lld|%llu|%llx|%llX", v, (unsigned long long)v, (unsigned long long)v,
		     (unsigned long long)v);
		SAME("%zu|%zx", (size_t)v, (size_t)v);
		SAME("%#x|%#llX", (unsigned)v, (unsigned long long)v);
		SAME("%016llx|%08x|%-12d|%5d|%05d", (unsigned long long)v, (unsigned)v, (int)v,
		     (int)v, (int)v);
		SAME("%.3d|%8.3d|%-8.3x|%.0d", (int)v, (int)v, (unsigned)v, (int)v);
	}
}

static void test_random_width_and_precision(void)
{
	for (int i = 0; i < 3000; i++) {
		int width = (int)(test_rng() % 41) - 20;
		int precision = (int)(test_rng() % 25) - 4;
		long long v = (long long)(test_rng() >> test_rng() % 64);

		SAME("<%*.*lld>", width, precision, v);
		SAME("<%0*llx>", width < 0 ? -width : width, (unsigned long long)v);
		SAME("<%-*llu>", width < 0 ? -width : width, (unsigned long long)v);
		SAME("<%*.*s>", width, precision, "hypervisor");
	}
}

static void test_text(void)
{
	char unterminated[3] = { 'a', 'b', 'c' };

	SAME("plain");
	SAME("%s and %10s|%-10s|%.2s|%c%c", "one", "two", "three", "four", 'x', 'y');
	SAME("%.3s", unterminated);
	SAME("100%%");
	SAME("%5c|%-5c|", 'a', 'b');
	SAME("%p %20p", (void *)0x1234, (void *)-1l);
	SAME("%s", "");
}

static void test_null_string_is_shown(void)
{
	char buf[16];
	const char *volatile none = NULL;

	fmt_print(buf, sizeof(buf), "[%s]", none);
	EXPECT_STREQ("[(null)]", buf);
}

static void test_absurd_width_is_bounded(void)
{
	volatile int huge = 2147483647;
	char buf[8];

	EXPECT_LE(fmt_print(buf, sizeof(buf), "%*d", huge, 1), 8192);
	EXPECT_LE(fmt_print(buf, sizeof(buf), "%*d", -huge - 1, 1), 8192);
	EXPECT_LE(fmt_print(buf, sizeof(buf), "%.*d", huge, 1), 8192);
	EXPECT_STREQ("0000000", buf);
}

TEST_MAIN(TEST(test_numbers), TEST(test_random_width_and_precision), TEST(test_text),
	  TEST(test_null_string_is_shown), TEST(test_absurd_width_is_bounded))
