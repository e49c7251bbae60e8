/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text on a linear framebuffer. We keep the text and what the screen shows of it; drawing makes
 * them equal. So scrolling is a move in ordinary memory.
 */
#include "drivers/fb_text.h"

#include "core/lib/bits.h"
#include "core/lib/compiler.h"
#include "core/lib/string.h"
#include "drivers/font8x8.h"

#define GLYPH_DOTS 8u

#define RGB_GREY  0xc0c0c0u
#define RGB_BLACK 0x000000u
#define RGB_WHITE 0xffffffu
#define RGB_GREEN 0x006000u
#define RGB_RED   0xa00000u

/* Any alignment: a pitch may be odd. Volatile: keep every store to the device. */
typedef volatile u64 __attribute__((may_alias, aligned(1))) device_u64;
typedef volatile u32 __attribute__((may_alias, aligned(1))) device_u32;
typedef volatile u16 __attribute__((may_alias, aligned(1))) device_u16;
typedef volatile u8 device_u8;
typedef const u64 __attribute__((may_alias, aligned(1))) any_u64;
typedef const u32 __attribute__((may_alias, aligned(1))) any_u32;
typedef const u16 __attribute__((may_alias, aligned(1))) any_u16;

static u32 channel_bits(struct fb_channel c, u32 rgb, u32 shift)
{
	u64 max = (1ull << c.size) - 1;

	return (u32)((rgb >> shift & 0xff) * max / 0xff << c.pos);
}

static u32 pixel_of(const struct fb_mode *m, u32 rgb)
{
	return channel_bits(m->red, rgb, 16) | channel_bits(m->green, rgb, 8) |
	       channel_bits(m->blue, rgb, 0);
}

static void colours(struct fb_text *t, enum tone tone, u32 rgb_front, u32 rgb_back)
{
	u32 front = pixel_of(&t->mode, rgb_front), back = pixel_of(&t->mode, rgb_back);
	u32 bytes = t->mode.pixel_bytes;

	for (u32 bits = 0; bits < 16; bits++) {
		u8 *at = t->dots[tone][bits];

		for (u32 x = 0; x < 4 * t->scale; x++) {
			u32 pixel = (bits & 8u >> x / t->scale) != 0 ? front : back;

			for (u32 i = 0; i < bytes; i++)
				*at++ = (u8)(pixel >> 8 * i);
		}
	}
}

static u8 *put(u8 *to, const u8 *from, u32 bytes)
{
	u32 left = bytes;

	for (; left >= 8; left -= 8, to += 8, from += 8)
		*(device_u64 *)to = *(any_u64 *)from;
	if ((left & 4) != 0) {
		*(device_u32 *)to = *(any_u32 *)from;
		to += 4;
		from += 4;
	}
	if ((left & 2) != 0) {
		*(device_u16 *)to = *(any_u16 *)from;
		to += 2;
		from += 2;
	}
	if ((left & 1) != 0)
		*(device_u8 *)to++ = *from;
	return to;
}

/* Draw one line of a glyph, on as many lines of the screen as it takes. */
static u8 *put_dots(u8 *line, const u8 *left, const u8 *right, const struct fb_text *t, u32 half)
{
	u32 pitch = t->mode.pitch;

	for (u32 i = 0; i < t->scale_y; i++, line += pitch)
		put(put(line, left, half), right, half);
	return line;
}

/* The same for the usual format, four bytes per dot: a third of the instructions. */
static inline u8 *put_dots_16(u8 *line, const u8 *left, const u8 *right, u32 pitch, u32 lines)
{
	u64 a = ((any_u64 *)left)[0], b = ((any_u64 *)left)[1];
	u64 c = ((any_u64 *)right)[0], d = ((any_u64 *)right)[1];

	do {
		device_u64 *to = (device_u64 *)line;

		to[0] = a;
		to[1] = b;
		to[2] = c;
		to[3] = d;
		line += pitch;
	} while (--lines != 0);
	return line;
}

static void draw_cell(struct fb_text *t, u32 row, u32 col)
{
	const struct fb_mode *m = &t->mode;
	u32 half = 4 * t->scale * m->pixel_bytes;
	const u8(*dots)[sizeof(t->dots[0][0])] = t->dots[t->tones[row]];
	u8 c = t->text[row][col];
	const u8 *glyph = font8x8[(c < FONT_FIRST || c > FONT_OTHER ? FONT_OTHER : c) - FONT_FIRST];
	u8 *line = m->base + (u64)row * GLYPH_DOTS * t->scale_y * m->pitch + (u64)col * 2 * half;

	for (u32 y = 0; y < GLYPH_DOTS; y++) {
		const u8 *left = dots[glyph[y] >> 4], *right = dots[glyph[y] & 15];

		line = half == 16 ? put_dots_16(line, left, right, m->pitch, t->scale_y)
				  : put_dots(line, left, right, t, half);
	}
	t->shown[row][col] = c;
	t->drawn++;
}

/* Returns how many more cells may be drawn; 0: the row may be unfinished. */
static u32 draw_row(struct fb_text *t, u32 row, u32 may)
{
	for (u32 col = 0; col < t->cols; col++) {
		if (t->text[row][col] == t->shown[row][col])
			continue;
		if (may == 0)
			return 0;
		draw_cell(t, row, col);
		may--;
	}
	t->dirty[row] = false;
	return may;
}

/* Draw the newest row first; then those below it, where old text would look newer; then upwards. */
static void draw(struct fb_text *t, u32 may)
{
	u32 newest = umin32(t->row - (t->col == 0 && t->row != 0 ? 1 : 0), t->rows - 1);

	for (u32 row = newest; row < t->rows && may != 0; row++) {
		if (t->dirty[row])
			may = draw_row(t, row, may);
	}
	for (u32 row = newest; row > 0 && may != 0; row--) {
		if (t->dirty[row - 1])
			may = draw_row(t, row - 1, may);
	}
}

/* Every pixel, also those outside the cells. */
static void clear(struct fb_text *t)
{
	const struct fb_mode *m = &t->mode;
	u32 step = 4 * t->scale * m->pixel_bytes;

	for (u32 y = 0; y < m->height; y++) {
		u8 *at = m->base + (u64)y * m->pitch;
		u32 left = m->width * m->pixel_bytes;

		for (; left >= step; left -= step)
			at = put(at, t->dots[0][0], step);
		put(at, t->dots[0][0], left);
	}
}

static void start(struct fb_text *t, const struct fb_mode *mode, u32 front, u32 back)
{
	memset(t, 0, sizeof(*t));
	t->mode = *mode;
	/* 128 columns on 1024 pixels. At least 24 rows, and square dots where lines are few. */
	t->scale = umin32(umin32(mode->width / 1024, mode->height / 384), FB_SCALE_MAX);
	t->scale = umax32(t->scale, 1);
	t->scale_y = mode->height >= 384 ? 2 * t->scale : 1;
	t->cols = umin32(mode->width / (GLYPH_DOTS * t->scale), FB_COLS_MAX);
	t->rows = umin32(mode->height / (GLYPH_DOTS * t->scale_y), FB_ROWS_MAX);
	memset(t->text, ' ', sizeof(t->text));
	memset(t->shown, ' ', sizeof(t->shown));
	colours(t, TONE_PLAIN, front, back);
	colours(t, TONE_GOOD, RGB_WHITE, RGB_GREEN);
	colours(t, TONE_BAD, RGB_WHITE, RGB_RED);
	clear(t);
}

void fb_text_open(struct fb_text *t, const struct fb_mode *mode)
{
	start(t, mode, RGB_GREY, RGB_BLACK);
}

void fb_text_panic(struct fb_text *t, const struct fb_mode *mode)
{
	start(t, mode, RGB_WHITE, RGB_RED);
	t->keeps = true;
}

void fb_text_tone(struct fb_text *t, enum tone tone)
{
	t->tone = tone;
}

/* Redraws the whole row. */
static void set_tone(struct fb_text *t, u32 row, u8 tone)
{
	if (t->tones[row] == tone)
		return;
	t->tones[row] = tone;
	memset(t->shown[row], 0, sizeof(t->shown[row]));
}

/* Scroll several rows at once: drawing catches up before the next time. */
static void scroll(struct fb_text *t)
{
	u32 gone = umax32(t->rows / 3, 1);
	u32 kept = t->rows - gone;

	memmove(t->text[0], t->text[gone], kept * sizeof(t->text[0]));
	memset(t->text[kept], ' ', gone * sizeof(t->text[0]));
	for (u32 row = 0; row < t->rows; row++)
		set_tone(t, row, row < kept ? t->tones[row + gone] : TONE_PLAIN);
	memset(t->dirty, true, t->rows);
	t->row = kept;
}

static void put_char(struct fb_text *t, char c)
{
	if (c == '\r')
		return;
	if (c == '\n') {
		t->col = 0;
		t->row++;
		return;
	}
	/* Do not scroll when the last row fills up, only when another character comes. */
	if (t->col == t->cols) {
		t->col = 0;
		t->row++;
	}
	if (t->row >= t->rows) {
		if (t->keeps)
			return;
		scroll(t);
	}
	if (t->tone != TONE_PLAIN)
		set_tone(t, t->row, (u8)t->tone);
	t->text[t->row][t->col++] = (u8)c;
	t->dirty[t->row] = true;
}

/* Not inlined: make bench stops here. */
NOINLINE void fb_text_write(struct fb_text *t, const char *s, size_t len)
{
	if (t->cols == 0 || t->rows == 0)
		return;
	for (size_t i = 0; i < len; i++)
		put_char(t, s[i]);
	draw(t, FB_CELLS_PER_WRITE);
}

void fb_text_flush(struct fb_text *t)
{
	if (t->cols != 0 && t->rows != 0)
		draw(t, ~0u);
}
