/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/bzscreen.c: the screen Linux is told of, read through the kernel's own headers. */
#include <linux/screen_info.h>

#include "tests/host/harness.h"

#include "boot/load/bootparam.h"
#include "boot/load/bzimage.h"

#define SAME_PLACE(offset, member) \
	static_assert((offset) == offsetof(struct screen_info, member), #member)
SAME_PLACE(BP_ORIG_Y, orig_y);
SAME_PLACE(BP_LFB_WIDTH, lfb_width);
SAME_PLACE(BP_LFB_HEIGHT, lfb_height);
SAME_PLACE(BP_LFB_DEPTH, lfb_depth);
SAME_PLACE(BP_LFB_BASE, lfb_base);
SAME_PLACE(BP_LFB_SIZE, lfb_size);
SAME_PLACE(BP_LFB_LINELEN, lfb_linelength);
SAME_PLACE(BP_RED_SIZE, red_size);
SAME_PLACE(BP_RED_POS, red_pos);
SAME_PLACE(BP_GREEN_SIZE, green_size);
SAME_PLACE(BP_GREEN_POS, green_pos);
SAME_PLACE(BP_BLUE_SIZE, blue_size);
SAME_PLACE(BP_BLUE_POS, blue_pos);
SAME_PLACE(BP_RSVD_SIZE, rsvd_size);
SAME_PLACE(BP_RSVD_POS, rsvd_pos);
SAME_PLACE(BP_PAGES, pages);
SAME_PLACE(BP_CAPABILITIES, capabilities);
SAME_PLACE(BP_EXT_LFB_BASE, ext_lfb_base);

static_assert(VIDEO_TYPE_VLFB == BP_VIDEO_TYPE_VLFB, "VESA");
static_assert(VIDEO_TYPE_EFI == BP_VIDEO_TYPE_EFI, "EFI");
static_assert(VIDEO_CAPABILITY_64BIT_BASE == BP_VIDEO_64BIT_BASE, "64-bit base");

static struct screen_info info;

static const struct boot_framebuffer usual = {
	.kind = FRAMEBUFFER_PIXEL,
	.pa = 0xe0000000,
	.pitch = 4096,
	.width = 1024,
	.height = 768,
	.bpp = 32,
	.red = { 16, 8 },
	.green = { 8, 8 },
	.blue = { 0, 8 },
};

static void fill(const struct boot_framebuffer *fb, bool is_efi)
{
	static u8 zero_page[BP_SIZE];
	static struct boot_efi efi;
	struct load_input in = { .screen = fb, .efi = &efi };

	efi.present = is_efi;
	memset(zero_page, 0, sizeof(zero_page));
	screen_info_fill(zero_page, &in);
	memcpy(&info, zero_page, sizeof(info));
	for (u32 i = sizeof(info); i < sizeof(zero_page); i++)
		EXPECT_EQ(0, zero_page[i]);
}

static void test_vesa(void)
{
	fill(&usual, false);
	EXPECT_EQ(VIDEO_TYPE_VLFB, info.orig_video_isVGA);
	EXPECT_EQ(1024, info.lfb_width);
	EXPECT_EQ(768, info.lfb_height);
	EXPECT_EQ(32, info.lfb_depth);
	EXPECT_EQ(0xe0000000, info.lfb_base);
	EXPECT_EQ(4096, info.lfb_linelength);
	EXPECT_EQ(768 * 4096 / 65536, info.lfb_size);
	EXPECT_EQ(8, info.red_size);
	EXPECT_EQ(16, info.red_pos);
	EXPECT_EQ(8, info.green_pos);
	EXPECT_EQ(0, info.blue_pos);
	EXPECT_EQ(8, info.rsvd_size);
	EXPECT_EQ(24, info.rsvd_pos);
	EXPECT_EQ(0, info.capabilities);
	EXPECT_EQ(0, info.ext_lfb_base);
}

/* What the kernel compares: size, in its unit, is at least lines times line length. */
static void test_size_is_rounded_up_for_vesa(void)
{
	struct boot_framebuffer fb = usual;

	fb.height = 600;
	fb.width = 800;
	fb.pitch = 3203;
	fill(&fb, false);
	EXPECT_EQ(30, info.lfb_size); /* 29.3 */
	fill(&fb, true);
	EXPECT_EQ(600 * 3203, info.lfb_size);
}

static void test_efi_above_4_gib(void)
{
	struct boot_framebuffer fb = usual;

	fb.pa = 0x38a0000000;
	fill(&fb, true);
	EXPECT_EQ(VIDEO_TYPE_EFI, info.orig_video_isVGA);
	EXPECT_EQ(768 * 4096, info.lfb_size);
	EXPECT_EQ(0xa0000000, info.lfb_base);
	EXPECT_EQ(0x38, info.ext_lfb_base);
	EXPECT_EQ(VIDEO_CAPABILITY_64BIT_BASE, info.capabilities);
}

static void test_formats(void)
{
	struct boot_framebuffer fb = usual;

	fb.bpp = 16;
	fb.red = (struct framebuffer_channel){ 11, 5 };
	fb.green = (struct framebuffer_channel){ 5, 6 };
	fb.blue = (struct framebuffer_channel){ 0, 5 };
	fill(&fb, false);
	EXPECT_EQ(16, info.lfb_depth);
	EXPECT_EQ(6, info.green_size);
	EXPECT_EQ(0, info.rsvd_size);
	EXPECT_EQ(0, info.rsvd_pos);
	fb.red = (struct framebuffer_channel){ 10, 5 };
	fb.green.size = 5;
	fill(&fb, false);
	EXPECT_EQ(1, info.rsvd_size);
	EXPECT_EQ(15, info.rsvd_pos);
	fb = usual;
	fb.red.pos = 24;
	fb.green.pos = 16;
	fb.blue.pos = 8;
	fill(&fb, false);
	EXPECT_EQ(8, info.rsvd_size);
	EXPECT_EQ(0, info.rsvd_pos);
}

static void test_text(void)
{
	struct boot_framebuffer fb = {
		.kind = FRAMEBUFFER_TEXT, .pa = 0xb8000, .pitch = 160, .width = 80, .height = 25
	};

	fill(&fb, false);
	EXPECT_EQ(1, info.orig_video_isVGA);
	EXPECT_EQ(3, info.orig_video_mode);
	EXPECT_EQ(80, info.orig_video_cols);
	EXPECT_EQ(25, info.orig_video_lines);
	EXPECT_EQ(16, info.orig_video_points);
	EXPECT_EQ(0, info.lfb_base);
}

/* No screen, one that does not work, one that the fields cannot hold: nothing is claimed. */
static void test_nothing(void)
{
	static const struct screen_info none;
	struct boot_framebuffer fb = usual;

	fill(NULL, true);
	EXPECT_MEMEQ(&none, &info, sizeof(info));
	fb.kind = FRAMEBUFFER_INDEXED;
	fill(&fb, false);
	EXPECT_MEMEQ(&none, &info, sizeof(info));
	fb.kind = FRAMEBUFFER_NONE;
	fill(&fb, true);
	EXPECT_MEMEQ(&none, &info, sizeof(info));
	fb = usual;
	fb.pitch = 0x10000;
	fill(&fb, true);
	EXPECT_MEMEQ(&none, &info, sizeof(info));
}

TEST_MAIN(TEST(test_vesa), TEST(test_size_is_rounded_up_for_vesa), TEST(test_efi_above_4_gib),
	  TEST(test_formats), TEST(test_text), TEST(test_nothing))
