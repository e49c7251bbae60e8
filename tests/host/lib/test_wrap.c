/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/wrap.c: lines that end between words. */
#include "tests/host/harness.h"

#include "core/lib/wrap.h"

static char out[8192];

static void keep(const char *line)
{
	EXPECT_LE(strlen(line), 79); /* of 80 columns */
	EXPECT_GE(strlen(line), 1);
	EXPECT_NE(' ', line[0]);
	EXPECT_NE(' ', line[strlen(line) - 1]);
	strcat(out, line);
	strcat(out, "\n");
}

static const char *wrapped(const char *text)
{
	out[0] = '\0';
	wrap_text(text, keep);
	return out;
}

#define TEN     "123456789 "
#define SEVENTY TEN TEN TEN TEN TEN TEN TEN

static void test_the_last_column_counts(void)
{
	EXPECT_STREQ("", wrapped(""));
	EXPECT_STREQ("", wrapped("   "));
	EXPECT_STREQ("a b\n", wrapped("  a b  "));
	EXPECT_STREQ(SEVENTY "123456789\n", wrapped(SEVENTY "123456789"));
	EXPECT_STREQ(SEVENTY "123456789\nx\n", wrapped(SEVENTY "123456789 x"));
	EXPECT_STREQ(SEVENTY "12345678\nxy\n", wrapped(SEVENTY "12345678 xy"));
}

static void test_a_word_longer_than_a_line_is_cut(void)
{
	char word[201];

	memset(word, 'w', 200);
	word[200] = '\0';
	(void)wrapped(word);
	EXPECT_EQ(203, strlen(out)); /* 79, 79, 42 */
	EXPECT_EQ('\n', out[79]);
}

/* Every word comes out whole and in order, and none would have fitted on the line before. */
static void test_random_texts(void)
{
	for (u32 round = 0; round < 3000; round++) {
		char text[1200] = "", joined[1300];
		size_t n = 0;

		while (n < 1000) {
			size_t len = 1 + test_rng() % 79;

			memset(text + n, 'a' + (char)(test_rng() % 26), len);
			text[n + len] = ' ';
			n += len + 1;
			text[n] = '\0';
		}
		text[n - 1] = '\0';
		strcpy(joined, wrapped(text));
		for (char *line = joined, *end; (end = strchr(line, '\n')) != NULL;
		     line = end + 1) {
			size_t next = strcspn(end + 1, " \n");

			if (next != 0)
				EXPECT_GE((size_t)(end - line) + 1 + next, 80);
			*end = ' ';
		}
		joined[n - 1] = '\0';
		EXPECT_STREQ(text, joined);
	}
}

TEST_MAIN(TEST(test_the_last_column_counts), TEST(test_a_word_longer_than_a_line_is_cut),
	  TEST(test_random_texts))
