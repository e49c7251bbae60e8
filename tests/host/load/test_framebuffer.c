/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/framebuffer.c: what is drawn on, and what is refused with its reason. */
#include "tests/host/harness.h"

#include "boot/load/framebuffer.h"

static struct e820_map map;

/* 512 MiB, and what a PC has below and above it. */
static void machine(void)
{
	memset(&map, 0, sizeof(map));
	EXPECT_EQ(ERR_NONE, e820_add(&map, 0, 0x9fc00, E820_RAM));
	EXPECT_EQ(ERR_NONE, e820_add(&map, 0x100000, 0x1fe00000, E820_RAM));
	EXPECT_EQ(ERR_NONE, e820_add(&map, 0x1ff00000, 0x10000, E820_ACPI));
	EXPECT_EQ(ERR_NONE, e820_add(&map, 0x1ff10000, 0xf0000, E820_RESERVED));
	EXPECT_EQ(ERR_NONE, e820_add(&map, 0xfec00000, 0x1400000, E820_RESERVED));
	EXPECT_EQ(ERR_NONE, e820_normalise(&map));
}

static struct boot_framebuffer usual(void)
{
	return (struct boot_framebuffer){
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
}

static const char *refusal(const struct boot_framebuffer *fb)
{
	return framebuffer_refusal(fb, &map, 36);
}

static void test_usual_ones_are_taken(void)
{
	struct boot_framebuffer fb = usual();

	machine();
	EXPECT_NULL(refusal(&fb));
	EXPECT_EQ(768 * 4096, framebuffer_bytes(&fb));
	fb.bpp = 24;
	EXPECT_NULL(refusal(&fb));
	fb.pitch = 3077; /* odd */
	fb.pa = 0xe0000003;
	EXPECT_NULL(refusal(&fb));
	EXPECT_EQ(767 * 3077 + 3072, framebuffer_bytes(&fb));
	fb.pa = 0x900000000; /* above 4 GiB */
	EXPECT_NULL(refusal(&fb));
	fb = usual();
	fb.bpp = 15;
	fb.red = (struct framebuffer_channel){ 10, 5 };
	fb.green = (struct framebuffer_channel){ 5, 5 };
	fb.blue = (struct framebuffer_channel){ 0, 5 };
	EXPECT_NULL(refusal(&fb));
	fb = usual();
	fb.width = 8;
	fb.height = 8;
	EXPECT_NULL(refusal(&fb));
	fb.pa = 0x1ff80000; /* memory that the firmware keeps for graphics */
	EXPECT_NULL(refusal(&fb));
}

static void test_addresses(void)
{
	struct boot_framebuffer fb = usual();
	u64 bytes = framebuffer_bytes(&fb);

	machine();
	fb.pa = 0;
	EXPECT_CONTAINS(refusal(&fb), "address");
	fb.pa = (1ull << 36) - bytes;
	EXPECT_NULL(refusal(&fb));
	fb.pa++;
	EXPECT_CONTAINS(refusal(&fb), "address");
	fb.pa = 0x380000000000; /* a 64-bit BAR */
	EXPECT_NULL(framebuffer_refusal(&fb, &map, 46));
	EXPECT_CONTAINS(framebuffer_refusal(&fb, &map, 45), "address");
	fb.pa = ~0ull - 4096; /* wraps around */
	EXPECT_CONTAINS(refusal(&fb), "address");
	fb.pa = 0x20000000 - bytes; /* from RAM into what is reserved */
	EXPECT_CONTAINS(refusal(&fb), "RAM");
	fb.pa = 0x10000000;
	EXPECT_CONTAINS(refusal(&fb), "RAM");
	fb.pa = 0x1ff0ffff; /* one byte of ACPI tables */
	EXPECT_CONTAINS(refusal(&fb), "RAM");
	fb.pa = 0x1ff10000;
	EXPECT_NULL(refusal(&fb));
	EXPECT_NULL(framebuffer_refusal(&fb, &map, 52));
}

static void test_geometry(void)
{
	struct boot_framebuffer fb = usual();

	machine();
	fb.pitch = 4095;
	EXPECT_CONTAINS(refusal(&fb), "pitch");
	fb = usual();
	fb.width = 7;
	EXPECT_CONTAINS(refusal(&fb), "smaller than a character");
	fb.width = 0;
	EXPECT_CONTAINS(refusal(&fb), "smaller than a character");
	fb = usual();
	fb.height = 0;
	EXPECT_CONTAINS(refusal(&fb), "smaller than a character");
	fb = usual();
	fb.width = 0x40000001; /* times 4 is 4 in 32 bits */
	EXPECT_CONTAINS(refusal(&fb), "16384");
	fb = usual();
	fb.height = ~0u;
	EXPECT_CONTAINS(refusal(&fb), "16384");
	fb = usual();
	fb.pitch = ~0u;
	EXPECT_CONTAINS(refusal(&fb), "256 MiB");
	fb = usual();
	fb.bpp = 8;
	EXPECT_CONTAINS(refusal(&fb), "bits per pixel");
	fb.bpp = 0;
	EXPECT_CONTAINS(refusal(&fb), "bits per pixel");
}

static void test_colours(void)
{
	struct boot_framebuffer fb = usual();

	machine();
	fb.kind = FRAMEBUFFER_INDEXED;
	EXPECT_CONTAINS(refusal(&fb), "palette");
	fb.kind = FRAMEBUFFER_TEXT;
	EXPECT_CONTAINS(refusal(&fb), "text mode");
	fb = usual();
	fb.red.size = 0;
	EXPECT_CONTAINS(refusal(&fb), "channels");
	fb.red.size = 255;
	EXPECT_CONTAINS(refusal(&fb), "channels");
	fb = usual();
	fb.red.pos = 25;
	EXPECT_CONTAINS(refusal(&fb), "channels");
	fb.red.pos = 255;
	EXPECT_CONTAINS(refusal(&fb), "channels");
	fb = usual();
	fb.green.pos = 1; /* over blue */
	EXPECT_CONTAINS(refusal(&fb), "channels");
}

/* Every description that is taken lies where it says, and can be written from end to end. */
static void test_random_descriptions(void)
{
	u32 taken = 0;

	machine();
	for (u32 i = 0; i < 200000; i++) {
		struct boot_framebuffer fb = usual();
		u64 end, line;

		fb.pa = test_rng() >> test_rng() % 64;
		fb.width = (u32)test_rng() >> test_rng() % 32;
		fb.height = (u32)test_rng() >> test_rng() % 32;
		fb.pitch = (u32)test_rng() >> test_rng() % 32;
		if (refusal(&fb) != NULL)
			continue;
		taken++;
		line = fb.width * 4ull;
		end = fb.pa + (fb.height - 1ull) * fb.pitch + line;
		EXPECT_TRUE(line <= fb.pitch && end > fb.pa && end <= 1ull << 36);
		EXPECT_TRUE(fb.pa >= 0x1ff10000 || end <= 0x1ff00000);
		EXPECT_TRUE(fb.pa >= 0x1ff10000 || (fb.pa >= 0x9fc00 && end <= 0x100000));
	}
	EXPECT_GE(taken, 100);
}

static void test_text_mode(void)
{
	struct boot_framebuffer fb = {
		.kind = FRAMEBUFFER_TEXT, .pa = 0xb8000, .pitch = 160, .width = 80, .height = 25
	};

	EXPECT_TRUE(screen_is_text(&fb, false));
	fb.height = 50;
	EXPECT_FALSE(screen_is_text(&fb, false));
	fb.height = 25;
	fb.pa = 0xb0000; /* monochrome */
	EXPECT_FALSE(screen_is_text(&fb, false));
	fb = (struct boot_framebuffer){ .kind = FRAMEBUFFER_NONE };
	EXPECT_TRUE(
		screen_is_text(&fb, false)); /* the loader says nothing: a BIOS starts in text */
	EXPECT_FALSE(screen_is_text(&fb, true));
	fb = usual();
	EXPECT_FALSE(screen_is_text(&fb, false));
}

TEST_MAIN(TEST(test_usual_ones_are_taken), TEST(test_addresses), TEST(test_geometry),
	  TEST(test_colours), TEST(test_random_descriptions), TEST(test_text_mode))
