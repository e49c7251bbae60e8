/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/overlay_index.c: against a plain list, and by a reader while another thread writes. */
#include "tests/host/harness.h"

#include <pthread.h>

#include "arch/x86/defs/paging.h"
#include "core/mem/overlay.h"

#define PAGES 64u

static struct overlay_index x;
static struct overlay page[PAGES];

static u64 gpa_of(u32 i)
{
	return (i / 2 + 1) * 2 * PAGE_SIZE; /* two at each address, and a gap after it */
}

/* What a search through all of @mapped finds. */
static u64 next_by_hand(const bool *mapped, u64 at)
{
	for (u32 i = 0; i < PAGES; i++) {
		if (mapped[i] && (gpa_of(i) | (PAGE_SIZE - 1)) >= at)
			return gpa_of(i);
	}
	return ~0ull;
}

static void expect_same(const bool *mapped)
{
	u64 at = test_rng() % gpa_of(PAGES + 2);
	struct overlay_at next = overlay_index_next(&x, at);
	u32 i = (u32)(test_rng() % PAGES), pair = i ^ 1;

	EXPECT_EQ(next_by_hand(mapped, at), next.gpa);
	EXPECT_EQ(next.gpa == ~0ull, next.overlay == NULL);
	if (next.overlay != NULL)
		EXPECT_TRUE(mapped[next.overlay - page] &&
			    gpa_of((u32)(next.overlay - page)) == next.gpa);
	EXPECT_TRUE(overlay_index_other(&x, gpa_of(i), &page[i]) ==
		    (mapped[pair] ? &page[pair] : NULL));
	EXPECT_EQ(mapped[i] || mapped[pair], overlay_index_may_be_at(&x, gpa_of(i) + 5));
	/* The same bit: page numbers that differ by a multiple of the filter's size. */
	EXPECT_EQ(mapped[i] || mapped[pair],
		  overlay_index_may_be_at(&x, gpa_of(i) + 3 * OVERLAY_FILTER_BITS * PAGE_SIZE));
}

static void test_like_a_plain_list(void)
{
	bool mapped[PAGES] = { false };
	u32 count = 0;

	x = (struct overlay_index){ 0 };
	for (int round = 0; round < 20000; round++) {
		u32 i = (u32)(test_rng() % PAGES);

		if (mapped[i])
			overlay_index_remove(&x, gpa_of(i), &page[i]);
		else
			overlay_index_add(&x, gpa_of(i), &page[i]);
		mapped[i] = !mapped[i];
		count += mapped[i] ? 1 : -1u;
		EXPECT_EQ(count, overlay_index_list(&x)->count);
		EXPECT_EQ(0, memcmp(&x.list[0].count, &x.list[1].count, sizeof(count)));
		expect_same(mapped);
	}
}

static void test_full(void)
{
	static struct overlay all[OVERLAYS_MAX];

	x = (struct overlay_index){ 0 };
	for (u32 i = 0; i < OVERLAYS_MAX; i++) {
		EXPECT_FALSE(overlay_index_is_full(&x));
		overlay_index_add(&x, (OVERLAYS_MAX - i) * PAGE_SIZE, &all[i]);
	}
	EXPECT_TRUE(overlay_index_is_full(&x));
	EXPECT_TRUE(overlay_index_next(&x, 0).overlay == &all[OVERLAYS_MAX - 1]);
	EXPECT_TRUE(overlay_index_next(&x, OVERLAYS_MAX * PAGE_SIZE + 5).overlay == &all[0]);
	overlay_index_remove(&x, OVERLAYS_MAX * PAGE_SIZE, &all[0]);
	EXPECT_FALSE(overlay_index_is_full(&x));
	EXPECT_NULL(overlay_index_next(&x, OVERLAYS_MAX * PAGE_SIZE).overlay);
}

#define STAY 1000u

static struct overlay many[STAY];
static bool stop;

/* The lowest one comes and goes: all the others move. */
static void *write_lowest(void *arg)
{
	while (!READ_ONCE(stop)) {
		overlay_index_add(&x, PAGE_SIZE, &page[0]);
		overlay_index_remove(&x, PAGE_SIZE, &page[0]);
	}
	return arg;
}

/* Those that stay are found at any moment. */
static void test_readers_miss_nothing(void)
{
	pthread_t writer;
	u32 missed = 0;

	x = (struct overlay_index){ 0 };
	for (u32 i = 0; i < STAY; i++)
		overlay_index_add(&x, (i + 2) * PAGE_SIZE, &many[i]);
	EXPECT_EQ(0, pthread_create(&writer, NULL, write_lowest, NULL));
	for (u32 n = 0; n < 3000000; n++) {
		u32 i = STAY - 1 - n % 64;

		missed += overlay_index_next(&x, (i + 2) * PAGE_SIZE).overlay != &many[i];
	}
	WRITE_ONCE(stop, true);
	EXPECT_EQ(0, pthread_join(writer, NULL));
	EXPECT_EQ(0, missed);
}

TEST_MAIN(TEST(test_like_a_plain_list), TEST(test_full), TEST(test_readers_miss_nothing))
