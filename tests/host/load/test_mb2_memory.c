/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/mb2.c: the loader's memory map, also one that contradicts itself, and what is left of
 * it for the region.
 */
#include "tests/host/load/mb2_tags.h"

static void test_basic_memory_is_the_fallback(void)
{
	u32 mem[2] = { 639, 31744 };

	begin();
	tag(4, mem, 8);
	expect_ok();
	EXPECT_EQ(2, bi.memory.count);
	EXPECT_EQ(639 << 10, bi.memory.e[0].len);
	EXPECT_EQ(0x100000, bi.memory.e[1].base);
	begin();
	tag(4, mem, 8);
	mmap_tag(two_ranges, 2);
	expect_ok();
	EXPECT_EQ(0x9f000, bi.memory.e[0].len);
}

/* Our region splits an entry: two places are kept. */
static void test_map_keeps_room_for_the_region(void)
{
	static u64 many[128][3];

	for (u32 count = 126; count <= 128; count++) {
		for (u32 i = 0; i < count; i++) {
			many[i][0] = i * 0x1000ull;
			many[i][1] = 0x1000;
			many[i][2] = i % 2 + 1;
		}
		begin();
		mmap_tag((const u64(*)[3])many, count);
		if (count <= E820_MAX - 2)
			expect_ok();
		else
			expect_why("more than 126 ranges");
	}
}

static void test_nasty_memory_maps(void)
{
	static const u64 nasty[][3] = {
		{ 0x100000, 0x10000000, E820_RAM }, { 0x200000, 0x1000, 0 }, /* type 0: reserved */
		{ 0x300000, 0, E820_RESERVED },     { 0x0, 0x9f000, E820_RAM },
		{ 0x400000, 0x1000, 0x80000005 },   { 0x80000, 0x90000, E820_RESERVED },
	};
	static const u64 high[][3] = { { 0x0, 0x1000, E820_RESERVED },
				       { 0x100000000, 0x40000000, E820_RAM } };

	begin();
	mmap_tag(nasty, 6);
	expect_ok();
	EXPECT_EQ(0x80000 + 0xff00000 + 0xf0000 - 0x2000, e820_ram_bytes(&bi.memory) + 0x0);
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x200000, 0x1000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x400000, 0x1000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x80000, 0x90000, E820_RESERVED));
	begin();
	mmap_tag(high, 2);
	expect_why("no usable RAM below 4 GiB");
}

/* Overlaps, entries of type 0 and of no length, RAM that wraps: what anybody calls no RAM is none,
 * and the hypervisor's region is found in the rest. */
static void test_map_that_contradicts_itself(void)
{
	static const u64 entries[][3] = {
		{ 0x100000, 0x1ff00000, E820_RAM },
		{ 0x1e000000, 0x100000, 0 },
		{ 0, 0xa0000, E820_RAM },
		{ 0x1f000000, 0x2000000, E820_RESERVED },
		{ 0x1f800000, 0x100000, E820_RAM },
		{ 0x5000, 0, E820_RESERVED },
		{ 0x9f000, 0x2000, 0 },
		{ ~0ull - 0xfff, 0x10000, E820_RAM },
	};
	u64 base = 0;

	begin();
	mmap_tag(entries, ARRAY_SIZE(entries));
	expect_ok();
	EXPECT_TRUE(e820_is_type(&bi.memory, 0, 0x9f000, E820_RAM));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x9f000, 0x2000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x1e000000, 0x100000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x1f000000, 0x2000000, E820_RESERVED));
	EXPECT_EQ(0x1f000000, e820_ram_top(&bi.memory, 4ull << 30));
	EXPECT_EQ(ERR_NONE, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 4ull << 20,
					   2ull << 20, &base));
	EXPECT_EQ(0x1ec00000, base);
	EXPECT_EQ(ERR_NONE, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 16ull << 20,
					   2ull << 20, &base));
	EXPECT_EQ(0x1d000000, base); /* below the entry of type 0 */
}

/* A machine whose RAM is all above 4 GiB parses; there is just no place for the region. */
static void test_no_usable_memory_below_4g(void)
{
	static const u64 entries[][3] = {
		{ 0, 0x9f000, E820_RAM },
		{ 0x100000, 0x7ff00000, E820_RESERVED },
		{ 0x100000000, 0x40000000, E820_RAM },
	};
	u64 base = 0;

	begin();
	mmap_tag(entries, ARRAY_SIZE(entries));
	expect_ok();
	EXPECT_EQ(ERR_NOENT, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 2ull << 20,
					    2ull << 20, &base));
	EXPECT_EQ(0, base);
}

TEST_MAIN(TEST(test_basic_memory_is_the_fallback), TEST(test_map_keeps_room_for_the_region),
	  TEST(test_nasty_memory_maps), TEST(test_map_that_contradicts_itself),
	  TEST(test_no_usable_memory_below_4g))
