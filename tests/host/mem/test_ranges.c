/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/ranges.c: who owns a page in place of the memory map, and what that does to RAM. */
#include "tests/host/harness.h"

#include "core/mem/gpa.h"
#include "core/mem/ranges.h"
#include "core/partition.h"

static const struct emul_mem one, two;

static bool gpa_is_ram(const struct partition *p, u64 at)
{
	struct gpa_pin pin;
	err_t err = gpa_pin(p, gpa(at), 8, GPA_NAMED, &pin);

	if (err == ERR_NONE)
		gpa_unpin(p, &pin);
	return err == ERR_NONE;
}

static void test_refused_ranges(void)
{
	static struct partition p;
	const struct page_range bad[] = {
		{ 0x1000, 0x1000, PAGE_EMULATED, .mem = &one },
		{ 0x2000, 0x1000, PAGE_EMULATED, .mem = &one },
		{ 0x1001, 0x3000, PAGE_EMULATED, .mem = &one },
		{ 0x1000, 0x2fff, PAGE_EMULATED, .mem = &one },
	};
	const struct page_range good = { 0x10000, 0x12000, PAGE_EMULATED, .mem = &one };
	const struct page_range over[] = {
		{ 0xf000, 0x11000, PAGE_EMULATED, .mem = &two },
		{ 0x11000, 0x12000, PAGE_EMULATED, .mem = &two },
		{ 0, 0x100000, PAGE_EMULATED, .mem = &two },
	};

	for (u32 i = 0; i < ARRAY_SIZE(bad); i++)
		EXPECT_EQ(ERR_INVAL, range_add(&p, &bad[i]));
	EXPECT_EQ(ERR_NONE, range_add(&p, &good));
	for (u32 i = 0; i < ARRAY_SIZE(over); i++)
		EXPECT_EQ(ERR_BUSY, range_add(&p, &over[i]));
	for (u32 i = 1; i < PAGE_RANGES_MAX; i++) {
		struct page_range more = { i << 20, (i << 20) + 0x1000, PAGE_EMULATED,
					   .mem = &two };

		EXPECT_EQ(ERR_NONE, range_add(&p, &more));
	}
	EXPECT_EQ(ERR_NOMEM, range_add(&p, &(struct page_range){ 0xff000000, 0xff001000,
								 PAGE_EMULATED, .mem = &two }));
}

static void test_who_answers(void)
{
	static struct partition p;
	const struct page_range first = { 0x10000, 0x12000, PAGE_EMULATED, .mem = &one };
	const struct page_range next = { 0x12000, 0x13000, PAGE_EMULATED, .mem = &two };

	EXPECT_NULL(emulated_at(&p, 0x10000));
	EXPECT_EQ(ERR_NONE, range_add(&p, &first));
	EXPECT_EQ(ERR_NONE, range_add(&p, &next));
	EXPECT_NULL(emulated_at(&p, 0xffff));
	EXPECT_TRUE(emulated_at(&p, 0x10000) == &one);
	EXPECT_TRUE(emulated_at(&p, 0x11fff) == &one);
	EXPECT_TRUE(emulated_at(&p, 0x12000) == &two);
	EXPECT_NULL(emulated_at(&p, 0x13000));
	EXPECT_NULL(far_at(&p, 0x10000));
}

/* A range of any class on RAM hides it from handlers; elsewhere it does not cost the fast path. */
static void test_ranges_on_ram_are_holes(void)
{
	static struct partition p;
	const struct page_range beside = { 0x200000, 0x201000, PAGE_EMULATED, .mem = &one };
	const struct page_range on_ram = { 0xff000, 0x101000, PAGE_EMULATED, .mem = &one };

	p = (struct partition){ .machine.phys_bits = 40,
				.memory = { .count = 1, .e = { { 0, 0x100800, E820_RAM } } } };
	EXPECT_EQ(ERR_NONE, range_add(&p, &beside));
	EXPECT_EQ(0, p.ram_holes);
	EXPECT_TRUE(gpa_is_ram(&p, 0xff000));
	EXPECT_EQ(ERR_NONE, range_add(&p, &on_ram));
	EXPECT_EQ(1, p.ram_holes);
	EXPECT_FALSE(gpa_is_ram(&p, 0xff000));
	EXPECT_TRUE(gpa_is_ram(&p, 0xfe000));
}

TEST_MAIN(TEST(test_refused_ranges), TEST(test_who_answers), TEST(test_ranges_on_ram_are_holes))
