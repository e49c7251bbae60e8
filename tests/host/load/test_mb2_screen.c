/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/mb2.c: the tag of the framebuffer, which is known also after an error.
 */
#include "tests/host/load/mb2_tags.h"

static void framebuffer_tag(u8 kind, u32 len)
{
	u8 data[30] = { 0 };
	u64 pa = 0x40c0000000;
	u32 geometry[3] = { 4100, 1024, 768 };

	memcpy(data, &pa, 8);
	memcpy(data + 8, geometry, 12);
	data[20] = 32;
	data[21] = kind;
	memcpy(data + 24, (u8[]){ 16, 8, 8, 7, 0, 6 }, 6);
	tag(8, data, len - 8);
}

static void test_framebuffer_comes_through(void)
{
	begin();
	mmap_tag(two_ranges, 2);
	framebuffer_tag(1, 38);
	expect_ok();
	EXPECT_EQ(FRAMEBUFFER_PIXEL, bi.framebuffer.kind);
	EXPECT_EQ(0x40c0000000, bi.framebuffer.pa);
	EXPECT_EQ(4100, bi.framebuffer.pitch);
	EXPECT_EQ(1024, bi.framebuffer.width);
	EXPECT_EQ(768, bi.framebuffer.height);
	EXPECT_EQ(32, bi.framebuffer.bpp);
	EXPECT_EQ(16, bi.framebuffer.red.pos);
	EXPECT_EQ(8, bi.framebuffer.red.size);
	EXPECT_EQ(8, bi.framebuffer.green.pos);
	EXPECT_EQ(7, bi.framebuffer.green.size);
	EXPECT_EQ(0, bi.framebuffer.blue.pos);
	EXPECT_EQ(6, bi.framebuffer.blue.size);
}

static void test_framebuffer_kinds(void)
{
	static const struct {
		u8 kind;
		enum framebuffer_kind want;
	} row[] = { { 0, FRAMEBUFFER_INDEXED }, { 2, FRAMEBUFFER_TEXT }, { 3, FRAMEBUFFER_NONE } };

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		mmap_tag(two_ranges, 2);
		framebuffer_tag(row[i].kind, 32);
		expect_ok();
		EXPECT_EQ(row[i].want, bi.framebuffer.kind);
	}
	begin();
	mmap_tag(two_ranges, 2);
	expect_ok();
	EXPECT_EQ(FRAMEBUFFER_NONE, bi.framebuffer.kind);
}

/* An error is shown on the screen, also when it comes before the tag of the screen. */
static void test_framebuffer_is_known_after_an_error(void)
{
	begin();
	for (u32 i = 0; i < 17; i++)
		module_tag(i, i + 1, "m");
	framebuffer_tag(1, 38);
	expect_why("more than 16 modules");
	EXPECT_EQ(FRAMEBUFFER_PIXEL, bi.framebuffer.kind);
	EXPECT_EQ(4100, bi.framebuffer.pitch);
}

static void test_framebuffer_tag_too_short(void)
{
	static const struct {
		u8 kind;
		u32 len;
	} row[] = { { 2, 30 }, { 1, 32 }, { 1, 37 } };

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		mmap_tag(two_ranges, 2);
		framebuffer_tag(row[i].kind, row[i].len);
		expect_why("framebuffer tag is too short");
	}
}

TEST_MAIN(TEST(test_framebuffer_comes_through), TEST(test_framebuffer_kinds),
	  TEST(test_framebuffer_is_known_after_an_error), TEST(test_framebuffer_tag_too_short))
