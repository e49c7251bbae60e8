/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Host test harness: a thin layer over cmocka.
 *
 * A test file mirrors one source file, holds `static void test_<property>(void)` functions and
 * ends with
 *
 *	TEST_MAIN(TEST(test_a), TEST(test_b))
 *
 * An EXPECT_ that fails ends that test and names both values; wanted value first. A test that came
 * to its end without one fails. One word on the command line runs only the tests whose name
 *contains it. KENSHO_SEED changes test_rng().
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* cmocka needs the five headers above. */
#include <cmocka.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#endif

static unsigned long test_checks; /* of the test that runs */

/* Counts a check that cmocka makes. */
#define TEST_CMOCKA(check) (test_checks++, check)

#define EXPECT_TRUE(cond)  TEST_CMOCKA(assert_true(cond))
#define EXPECT_FALSE(cond) TEST_CMOCKA(assert_false(cond))

/* Each argument is evaluated once: most are calls with effects. */
#define TEST_COMPARE(type, op, a, b, verb)                                          \
	do {                                                                        \
		type test_a_ = (type)(a);                                           \
		type test_b_ = (type)(b);                                           \
                                                                                    \
		test_expect(test_a_ op test_b_, #b, (unsigned long long)test_a_,    \
			    (unsigned long long)test_b_, verb, __FILE__, __LINE__); \
	} while (0)

#define EXPECT_EQ(want, got)     TEST_COMPARE(unsigned long long, ==, want, got, "is not")
#define EXPECT_NE(unwanted, got) TEST_COMPARE(unsigned long long, !=, unwanted, got, "must not be")
#define EXPECT_LE(got, limit)    TEST_COMPARE(__int128, >=, limit, got, "is above")
#define EXPECT_GE(got, limit)    TEST_COMPARE(__int128, <=, limit, got, "is below")

#define EXPECT_STREQ(want, got)       TEST_CMOCKA(assert_string_equal(got, want))
#define EXPECT_MEMEQ(want, got, len)  TEST_CMOCKA(assert_memory_equal(got, want, len))
#define EXPECT_NULL(ptr)              TEST_CMOCKA(assert_null(ptr))
#define EXPECT_NOT_NULL(ptr)          TEST_CMOCKA(assert_non_null(ptr))
#define EXPECT_CONTAINS(text, needle) test_expect_contains(text, needle, __FILE__, __LINE__)

struct host_test {
	const char *name;
	void (*run)(void);
};

/* clang-format off */
#define TEST(fn) { #fn, fn }
/* clang-format on */

static inline void test_expect(int ok, const char *expr, unsigned long long want,
			       unsigned long long got, const char *verb, const char *file, int line)
{
	test_checks++;
	if (ok)
		return;
	print_error("%s = 0x%llx (%llu) %s 0x%llx (%llu)\n", expr, got, got, verb, want, want);
	_fail(file, line);
}

static inline void test_expect_contains(const char *text, const char *needle, const char *file,
					int line)
{
	test_checks++;
	if (strstr(text, needle) != NULL)
		return;
	print_error("\"%s\" does not contain \"%s\"\n", text, needle);
	_fail(file, line);
}

/* A reproducible random sequence (xorshift64*): the same on every run unless KENSHO_SEED is set. */
static inline unsigned long long test_rng(void)
{
	static unsigned long long state;

	if (state == 0) {
		const char *seed = getenv("KENSHO_SEED");

		state = 0x9e3779b97f4a7c15ull ^ (seed != NULL ? strtoull(seed, NULL, 0) : 0);
	}
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * 0x2545f4914f6cdd1dull;
}

static inline void test_trampoline(void **state)
{
	const struct host_test *test = *state;

	test_checks = 0;
	test->run();
	if (test_checks == 0)
		fail_msg("%s: no EXPECT_ was reached", test->name);
}

static inline int test_main(int argc, char **argv, const char *group, struct host_test *tests,
			    size_t count)
{
	struct CMUnitTest *cm = calloc(count, sizeof(*cm));
	size_t used = 0;
	int failed;

	if (cm == NULL)
		return 2;
	for (size_t i = 0; i < count; i++) {
		if (argc > 1 && strstr(tests[i].name, argv[1]) == NULL)
			continue;
		cm[used++] = (struct CMUnitTest){ .name = tests[i].name,
						  .test_func = test_trampoline,
						  .initial_state = &tests[i] };
	}
	failed = _cmocka_run_group_tests(group, cm, used, NULL, NULL);
	free(cm);
	return failed != 0;
}

#define TEST_MAIN(...)                                                            \
	int main(int argc, char **argv)                                           \
	{                                                                         \
		static struct host_test tests[] = { __VA_ARGS__ };                \
                                                                                  \
		return test_main(argc, argv, __FILE__, tests, ARRAY_SIZE(tests)); \
	}
