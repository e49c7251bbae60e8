/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/word.c: pieces of a line, and distances against the recursive definition of the
 * distance. */
#include "tests/host/harness.h"

#include "core/lib/word.h"

#define LONGEST 31u

/* Levenshtein as it is defined: exponential, so for short words. */
static u32 by_definition(const char *a, const char *b)
{
	u32 drop, add, swap;

	if (*a == '\0')
		return (u32)strlen(b);
	if (*b == '\0')
		return (u32)strlen(a);
	if (*a == *b)
		return by_definition(a + 1, b + 1);
	drop = by_definition(a + 1, b);
	add = by_definition(a, b + 1);
	swap = by_definition(a + 1, b + 1);
	drop = drop < add ? drop : add;
	return 1 + (drop < swap ? drop : swap);
}

static struct word word(const char *text)
{
	return (struct word){ text, strlen(text) };
}

static void test_distance_is_the_definition(void)
{
	for (u32 round = 0; round < 3000; round++) {
		char text[2][7] = { "", "" };

		for (u32 w = 0; w < 2; w++) {
			for (u64 i = 0, len = test_rng() % 7; i < len; i++)
				text[w][i] = (char)('a' + test_rng() % 3);
		}
		EXPECT_EQ(by_definition(text[0], text[1]),
			  word_distance(word(text[0]), word(text[1])));
	}
	EXPECT_EQ(0, word_distance(word(""), word("")));
	EXPECT_EQ(3, word_distance(word("kitten"), word("sitting")));
}

/* A buffer of the stack has room for names of this length. */
static void test_long_names_are_never_close(void)
{
	char name[LONGEST + 1];
	struct word longest = { name, LONGEST }, longer = { name, LONGEST + 1 };

	memset(name, 'n', sizeof(name));
	EXPECT_EQ(0, word_distance(longest, longest));
	EXPECT_EQ(LONGEST, word_distance(longest, word("")));
	EXPECT_EQ(~0u, word_distance(longer, longer));
	EXPECT_EQ(~0u, word_distance(word("x"), longer));
	EXPECT_EQ(~0u, word_distance(longer, word("x")));
}

static void test_closest_name(void)
{
	static const char *const names[] = { "stats", "status", "state", "trace" };
	const char *name = "none";
	u32 best = ~0u;

	for (u32 i = 0; i < ARRAY_SIZE(names); i++)
		word_closer(word("stat"), names[i], &best, &name);
	EXPECT_STREQ("stats", name); /* of two at distance 1 the first */
	EXPECT_EQ(1, best);
	word_closer(word("stat"), "stat", &best, &name);
	EXPECT_EQ(0, best);
}

static void test_cut(void)
{
	struct word rest = word("a||bc"), w;
	bool found;

	EXPECT_TRUE(word_is(word_cut(&rest, '|', &found), "a"));
	EXPECT_TRUE(found);
	w = word_cut(&rest, '|', &found);
	EXPECT_TRUE(found && w.len == 0 && word_is(w, ""));
	EXPECT_FALSE(word_is(rest, "b") || word_is(rest, "bcd"));
	EXPECT_TRUE(word_is(word_cut(&rest, '|', &found), "bc"));
	EXPECT_FALSE(found);
	EXPECT_EQ(0, rest.len);
}

TEST_MAIN(TEST(test_distance_is_the_definition), TEST(test_long_names_are_never_close),
	  TEST(test_closest_name), TEST(test_cut))
