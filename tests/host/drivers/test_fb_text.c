/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * drivers/fb_text.c against a model that paints the whole screen pixel by pixel. The framebuffer is
 * a heap block of exactly its size and full of noise: ASan sees a store outside, the noise a read.
 */
#include "tests/host/harness.h"

#include "drivers/fb_text.h"
#include "drivers/font8x8.h"

struct screen {
	u32 width, height, bytes, padding; /* padding: what the pitch has more than a line */
	struct fb_channel red, green, blue;
	u32 front, back, loud, bad, good; /* pixels that the colours must become */
};

/* clang-format off */
#define XRGB {16, 8}, {8, 8}, {0, 8},    0xc0c0c0, 0, 0xffffff, 0xa00000, 0x006000
#define BGRX {8, 8}, {16, 8}, {24, 8},   0xc0c0c000, 0, 0xffffff00, 0x0000a000, 0x00600000
#define R565 {11, 5}, {5, 6}, {0, 5},    23 << 11 | 47 << 5 | 23, 0, 0xffff, 19 << 11, 23 << 5
#define R555 {10, 5}, {5, 5}, {0, 5},    23 << 10 | 23 << 5 | 23, 0, 0x7fff, 19 << 10, 11 << 5
#define R30  {20, 10}, {10, 10}, {0, 10}, 770 << 20 | 770 << 10 | 770, 0, 0x3fffffff, 641 << 20, 385 << 10

static const struct screen screens[] = {
	{ 1024, 768, 4, 0, XRGB },  { 1024, 768, 3, 0, XRGB },  { 1024, 768, 2, 0, R565 },
	{ 1024, 768, 3, 5, XRGB },  { 800, 600, 2, 3, R565 },   { 640, 480, 2, 0, R555 },
	{ 1030, 771, 4, 1, BGRX },  { 640, 350, 3, 7, XRGB },   { 320, 200, 4, 0, R30 },
	{ 1920, 1080, 4, 0, XRGB }, { 2560, 1440, 3, 1, XRGB }, { 3840, 2160, 4, 0, XRGB },
	{ 8, 8, 4, 0, XRGB },       { 15, 17, 3, 2, XRGB },     { 13, 700, 2, 1, R565 },
	{ 4000, 10, 2, 0, R565 },   { 700, 1900, 3, 0, XRGB },
};
/* clang-format on */

static struct fb_text text;
static u8 *block;
static struct fb_mode mode;

static u64 pitch_of(const struct screen *s)
{
	return (u64)s->width * s->bytes + s->padding;
}

static u64 size_of(const struct screen *s)
{
	return (s->height - 1) * pitch_of(s) + s->width * s->bytes;
}

static void plug_in(const struct screen *s)
{
	free(block);
	block = malloc(size_of(s));
	for (u64 i = 0; i < size_of(s); i++)
		block[i] = (u8)(i * 7 + i / 251);
	mode = (struct fb_mode){ block,    (u32)pitch_of(s), s->width, s->height,
				 s->bytes, s->red,           s->green, s->blue };
}

/* --- The model: lines of text, and a colour for every pixel --- */

static struct {
	u32 across, down, cols, rows; /* screen pixels of a dot; size in characters */
	char cell[100][300];
	u32 col, row;
	bool stays;
	enum tone tone, tones[100];
} model;

static void model_open(const struct screen *s, bool stays)
{
	u32 scale = 1;

	while ((scale + 1) * 1024 <= s->width && (scale + 1) * 384 <= s->height)
		scale++;
	memset(&model, 0, sizeof(model));
	memset(model.cell, ' ', sizeof(model.cell));
	model.across = scale;
	model.down = s->height < 384 ? 1 : 2 * scale;
	model.cols = s->width / 8 / model.across < 240 ? s->width / 8 / model.across : 240;
	model.rows = s->height / 8 / model.down < 80 ? s->height / 8 / model.down : 80;
	model.stays = stays;
}

static void model_put(char c)
{
	u32 third = model.rows / 3 == 0 ? 1 : model.rows / 3;

	if (c == '\n') {
		model.row++;
		model.col = 0;
		return;
	}
	if (model.col >= model.cols) {
		model.row++;
		model.col = 0;
	}
	if (model.row >= model.rows) {
		if (model.stays)
			return;
		for (u32 row = 0; row < model.rows; row++) {
			if (row + third < model.rows)
				memcpy(model.cell[row], model.cell[row + third], model.cols);
			else
				memset(model.cell[row], ' ', model.cols);
			model.tones[row] =
				row + third < model.rows ? model.tones[row + third] : TONE_PLAIN;
		}
		model.row = model.rows - third;
	}
	if (model.tone != TONE_PLAIN)
		model.tones[model.row] = model.tone;
	model.cell[model.row][model.col++] = c;
}

static bool model_dot(u32 x, u32 y)
{
	u32 col = x / 8 / model.across, row = y / 8 / model.down;
	u8 c;

	if (col >= model.cols || row >= model.rows)
		return false;
	c = (u8)model.cell[row][col];
	if (c < ' ' || c > '~')
		c = 0x7f;
	return (font8x8[c - ' '][y / model.down % 8] << (x / model.across % 8) & 0x80) != 0;
}

static enum tone model_tone(u32 x, u32 y)
{
	u32 row = y / 8 / model.down;

	if (model.stays)
		return TONE_BAD;
	return x / 8 / model.across < model.cols && row < model.rows ? model.tones[row]
								     : TONE_PLAIN;
}

/* Pixels outside of lines keep the noise. */
static void expect_picture(const struct screen *s, u32 first_row, u32 rows)
{
	u32 bottom = (first_row + rows) * 8 * model.down;

	for (u32 y = first_row * 8 * model.down; y < s->height && y < bottom; y++) {
		const u8 *line = block + y * pitch_of(s);

		for (u32 x = 0; x < s->width; x++) {
			enum tone tone = model_tone(x, y);
			u32 front = tone != TONE_PLAIN ? s->loud : s->front;
			u32 back = tone == TONE_PLAIN ? s->back
				   : tone == TONE_BAD ? s->bad
						      : s->good;
			u32 want = model_dot(x, y) ? front : back, got = 0;

			memcpy(&got, line + x * s->bytes, s->bytes);
			if (got != want)
				print_error("%ux%u: pixel %u,%u\n", s->width, s->height, x, y);
			EXPECT_EQ(want, got);
		}
		for (u64 i = s->width * s->bytes; i < pitch_of(s) && y + 1 < s->height; i++) {
			u64 at = y * pitch_of(s) + i;

			EXPECT_EQ((u8)(at * 7 + at / 251), block[at]);
		}
	}
}

static void say(const char *line)
{
	u64 before = text.drawn;

	fb_text_write(&text, line, strlen(line));
	for (; *line != '\0'; line++) {
		if (*line != '\r')
			model_put(*line);
	}
	EXPECT_LE(text.drawn - before, FB_CELLS_PER_WRITE);
}

static const char *some_line(u32 longest)
{
	static char line[400];
	u32 len = (u32)(test_rng() % (longest + 1));

	for (u32 i = 0; i < len; i++)
		line[i] = (char)(' ' + test_rng() % 95);
	line[len] = '\n';
	line[len + 1] = '\0';
	return line;
}

/* --- Tests --- */

static void test_every_pixel_of_every_screen(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(screens); i++) {
		const struct screen *s = &screens[i];

		plug_in(s);
		fb_text_open(&text, &mode);
		model_open(s, false);
		expect_picture(s, 0, ~0u / 8 / model.down);
		for (u32 round = 0; round < 3; round++) {
			for (u32 n = (u32)(test_rng() % (2 * model.rows)); n > 0; n--)
				say(some_line(round == 0 ? 400 - 2 : 100));
			fb_text_flush(&text);
			expect_picture(s, 0, ~0u / 8 / model.down);
		}
	}
}

/* Without a flush: the line just written is there, and a log of usual lines is never behind by the
 * time the screen jumps again. */
static void test_newest_first_and_soon_complete(void)
{
	const struct screen *s = &screens[0];

	plug_in(s);
	fb_text_open(&text, &mode);
	model_open(s, false);
	for (u32 n = 0; n < 150; n++) {
		say(some_line(100));
		expect_picture(s, model.row - 1, 1);
	}
	while (model.row != model.rows) /* the next one jumps */
		say(some_line(100));
	expect_picture(s, 0, model.rows);
	say(some_line(319));
	expect_picture(s, model.row - 1, 1);
}

/* The number of issue 6 in cells; make bench has it in instructions. */
static void test_no_line_draws_more_than_its_share(void)
{
	char line[330];

	for (u32 i = 0; i < ARRAY_SIZE(screens); i++) {
		plug_in(&screens[i]);
		fb_text_open(&text, &mode);
		model_open(&screens[i], false);
		for (u32 n = 0; n < 200; n++) {
			memset(line, 'A' + (int)n % 26, sizeof(line));
			line[FB_CELLS_PER_WRITE - 1] = '\n';
			line[FB_CELLS_PER_WRITE] = '\0';
			say(line);
		}
		EXPECT_EQ(0, text.drawn == 0);
	}
}

/* What does not change is not drawn. */
static void test_only_differences_are_drawn(void)
{
	u64 before;

	plug_in(&screens[0]);
	fb_text_open(&text, &mode);
	EXPECT_EQ(0, text.drawn);
	fb_text_write(&text, "a b\r\n", 5);
	EXPECT_EQ(2, text.drawn); /* blanks were there */
	fb_text_flush(&text);
	EXPECT_EQ(2, text.drawn);
	for (u32 i = 0; i < 200; i++)
		fb_text_write(&text, "same\n", 5);
	fb_text_flush(&text);
	before = text.drawn;
	fb_text_write(&text, "same\n", 5);
	fb_text_flush(&text);
	EXPECT_LE(text.drawn - before, 4 * (text.rows / 3));
}

/* The report's head names the cause: it stays, whatever follows and whatever was there. */
static void test_panic_keeps_the_first_screenful(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(screens); i++) {
		const struct screen *s = &screens[i];

		plug_in(s);
		fb_text_open(&text, &mode);
		fb_text_write(&text, "boot log\n", 9);
		memset(block, 0x5a, size_of(s)); /* the guest's picture */
		for (u64 at = 0; at < size_of(s); at++)
			block[at] = (u8)(at * 7 + at / 251);
		fb_text_panic(&text, &mode);
		model_open(s, true);
		for (u32 n = 0; n < 3 * model.rows; n++)
			say(some_line(120));
		expect_picture(s, 0, ~0u / 8 / model.down);
	}
}

/* The last words stand out below the log that led to them, also when all scroll; then it is plain
 * again. */
static void test_tones_keep_the_log(void)
{
	static const enum tone tones[] = { TONE_GOOD, TONE_PLAIN, TONE_BAD };

	for (u32 i = 0; i < ARRAY_SIZE(screens) * ARRAY_SIZE(tones); i++) {
		const struct screen *s = &screens[i / ARRAY_SIZE(tones)];

		plug_in(s);
		fb_text_open(&text, &mode);
		model_open(s, false);
		for (u32 n = (u32)(test_rng() % (2 * model.rows)); n > 0; n--)
			say(some_line(100));
		for (u32 lines = 1; lines <= 3 * model.rows; lines *= 3) {
			model.tone = tones[(i + lines) % ARRAY_SIZE(tones)];
			fb_text_tone(&text, model.tone);
			for (u32 n = 0; n < lines; n++)
				say(some_line(100));
			fb_text_flush(&text);
			expect_picture(s, 0, ~0u / 8 / model.down);
		}
	}
}

static void test_strange_characters_are_boxes(void)
{
	const struct screen *s = &screens[8];

	plug_in(s);
	fb_text_open(&text, &mode);
	model_open(s, false);
	say("\x01\t\x7f\x80\xff|~ \n");
	expect_picture(s, 0, model.rows);
}

static void test_nothing_before_it_is_open(void)
{
	static struct fb_text closed;

	fb_text_write(&closed, "x\n", 2);
	fb_text_flush(&closed);
	EXPECT_EQ(0, closed.drawn);
}

static void test_glyphs_differ_and_leave_a_gap(void)
{
	for (u32 a = 0; a < FONT_COUNT; a++) {
		u8 ink = 0;

		for (u32 y = 0; y < 8; y++)
			ink |= font8x8[a][y];
		EXPECT_EQ(0, ink & 1); /* neighbours never touch */
		EXPECT_EQ(a == 0, ink == 0);
		for (u32 b = 0; b < a; b++)
			EXPECT_FALSE(memcmp(font8x8[a], font8x8[b], 8) == 0);
	}
	/* One of them, written another way: bit 7 is left, the first line is the upper one. */
	EXPECT_MEMEQ("\xfc\xc0\xc0\xf8\xc0\xc0\xc0\x00", font8x8['F' - FONT_FIRST], 8);
}

TEST_MAIN(TEST(test_every_pixel_of_every_screen), TEST(test_newest_first_and_soon_complete),
	  TEST(test_no_line_draws_more_than_its_share), TEST(test_only_differences_are_drawn),
	  TEST(test_panic_keeps_the_first_screenful), TEST(test_tones_keep_the_log),
	  TEST(test_strange_characters_are_boxes), TEST(test_nothing_before_it_is_open),
	  TEST(test_glyphs_differ_and_leave_a_gap))
