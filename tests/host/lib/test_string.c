/* SPDX-License-Identifier: BSD-2-Clause */
/* core/lib/string.c against the C library, at every alignment and overlap. */
#include "tests/host/harness.h"

#include "core/lib/types.h"

/* The host build renames ours, see "localise" in the Makefile. */
void *kensho_memcpy(void *restrict dst, const void *restrict src, size_t n);
void *kensho_memmove(void *dst, const void *src, size_t n);
void *kensho_memset(void *dst, int c, size_t n);
int kensho_memcmp(const void *a, const void *b, size_t n);
size_t kensho_strlen(const char *s);
int kensho_strcmp(const char *a, const char *b);
int kensho_strncmp(const char *a, const char *b, size_t n);

#define LEN 512

static u8 mine[LEN], theirs[LEN];

static void fill(void)
{
	for (u32 i = 0; i < LEN; i++)
		mine[i] = theirs[i] = (u8)test_rng();
}

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_memmove_any_overlap(void)
{
	for (u32 i = 0; i < 20000; i++) {
		size_t n = test_rng() % 300;
		size_t dst = test_rng() % (LEN - n);
		size_t src = test_rng() % 4 != 0 ? test_rng() % (LEN - n)
						 : (dst + test_rng() % 9) % (LEN - n);

		fill();
		EXPECT_TRUE(kensho_memmove(mine + dst, mine + src, n) == mine + dst);
		memmove(theirs + dst, theirs + src, n);
		EXPECT_MEMEQ(theirs, mine, LEN);
	}
}

static void test_memcpy_memset_touch_only_their_range(void)
{
	for (u32 i = 0; i < 20000; i++) {
		size_t n = test_rng() % (LEN / 2);
		size_t dst = test_rng() % (LEN / 2 - n + 1);
		size_t src = LEN / 2 + test_rng() % (LEN / 2 - n + 1);
		int c = (int)test_rng();

		fill();
		kensho_memcpy(mine + dst, mine + src, n);
		memcpy(theirs + dst, theirs + src, n);
		EXPECT_MEMEQ(theirs, mine, LEN);
		kensho_memset(mine + src, c, n);
		memset(theirs + src, c, n);
		EXPECT_MEMEQ(theirs, mine, LEN);
	}
}

static void test_compare_has_the_sign_of_libc(void)
{
	for (u32 i = 0; i < 20000; i++) {
		char a[8] = { 0 }, b[8] = { 0 };
		size_t n = test_rng() % 8;

		for (u32 k = 0; k < 7; k++) {
			a[k] = (char)(test_rng() % 3 * 127);
			b[k] = test_rng() % 4 != 0 ? a[k] : (char)(test_rng() % 3 * 127);
		}
		EXPECT_EQ(sign(memcmp(a, b, n)), sign(kensho_memcmp(a, b, n)));
		EXPECT_EQ(sign(strcmp(a, b)), sign(kensho_strcmp(a, b)));
		EXPECT_EQ(sign(strncmp(a, b, n)), sign(kensho_strncmp(a, b, n)));
		EXPECT_EQ(strlen(a), kensho_strlen(a));
	}
}

TEST_MAIN(TEST(test_memmove_any_overlap), TEST(test_memcpy_memset_touch_only_their_range),
	  TEST(test_compare_has_the_sign_of_libc))
