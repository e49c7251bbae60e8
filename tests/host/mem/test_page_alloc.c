/* SPDX-License-Identifier: BSD-2-Clause */
/* Page heap: pages are zeroed, distinct, aligned, inside the heap, and none is ever lost. */
#include "tests/host/harness.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/page_alloc.h"

#define PAGES 64u

static u8 heap[(PAGES + 1) * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE * 16)));

/* The heap starts one page off, so that alignment has something to skip. */
static u8 *setup(void)
{
	page_alloc_init(heap + PAGE_SIZE, PAGES * PAGE_SIZE);
	memset(heap, 0xaa, sizeof(heap));
	return heap + PAGE_SIZE;
}

static void expect_fresh(const u8 *page, u32 n)
{
	EXPECT_TRUE(page >= heap + PAGE_SIZE && page + n * PAGE_SIZE <= heap + sizeof(heap));
	for (u32 i = 0; i < n * PAGE_SIZE; i++)
		EXPECT_EQ(0, page[i]);
}

static void test_page_alloc_hands_out_every_page_once(void)
{
	u8 *got[PAGES];

	(void)setup();
	EXPECT_EQ(PAGES, page_total_count());
	for (u32 i = 0; i < PAGES; i++) {
		EXPECT_EQ(PAGES - i, page_free_count());
		got[i] = page_alloc();
		EXPECT_NOT_NULL(got[i]);
		expect_fresh(got[i], 1);
		memset(got[i], (int)i + 1, PAGE_SIZE);
	}
	EXPECT_NULL(page_alloc());
	for (u32 i = 0; i < PAGES; i++)
		EXPECT_EQ(i + 1, got[i][PAGE_SIZE - 1]); /* no two overlap */
}

static void test_page_alloc_n_aligns_and_keeps_the_holes(void)
{
	u8 *block, *page;
	u64 count = 0;

	(void)setup();
	block = page_alloc_n(8, 16);
	EXPECT_NOT_NULL(block);
	EXPECT_EQ(0, (uintptr_t)block & (16 * PAGE_SIZE - 1));
	expect_fresh(block, 8);
	EXPECT_EQ(PAGES - 8, page_free_count());
	while ((page = page_alloc()) != NULL) {
		EXPECT_TRUE(page + PAGE_SIZE <= block || page >= block + 8 * PAGE_SIZE);
		expect_fresh(page, 1);
		count++;
	}
	EXPECT_EQ(PAGES - 8, count);
}

static void test_page_alloc_n_refuses_the_impossible(void)
{
	(void)setup();
	EXPECT_NULL(page_alloc_n(0, 1));
	EXPECT_NULL(page_alloc_n(1, 0));
	EXPECT_NULL(page_alloc_n(1, 3));
	EXPECT_NULL(page_alloc_n(PAGES + 1, 1));
	EXPECT_NULL(page_alloc_n(~0u, 1));
	EXPECT_NULL(page_alloc_n(1, 1u << 31));
	EXPECT_EQ(PAGES, page_free_count());
}

/* Random allocation and release against a count. */
static void test_page_alloc_random_use(void)
{
	u8 *held[PAGES];
	u32 n = 0;

	(void)setup();
	for (u32 i = 0; i < 5000; i++) {
		if (test_rng() & 1) {
			u8 *page = page_alloc();

			EXPECT_EQ(n == PAGES, page == NULL);
			if (page != NULL) {
				expect_fresh(page, 1);
				memset(page, 0x5c, PAGE_SIZE);
				held[n++] = page;
			}
		} else if (n != 0) {
			u32 k = (u32)(test_rng() % n);

			page_free(held[k]);
			held[k] = held[--n];
		}
		EXPECT_EQ(PAGES - n, page_free_count());
	}
}

static void test_page_alloc_n_may_take_all(void)
{
	const u8 *first = setup();

	EXPECT_TRUE(page_alloc_n(PAGES, 1) == first);
	expect_fresh(first, PAGES);
	EXPECT_EQ(0, page_free_count());
	EXPECT_NULL(page_alloc());
}

TEST_MAIN(TEST(test_page_alloc_n_may_take_all), TEST(test_page_alloc_hands_out_every_page_once),
	  TEST(test_page_alloc_n_aligns_and_keeps_the_holes),
	  TEST(test_page_alloc_n_refuses_the_impossible), TEST(test_page_alloc_random_use))
