// SPDX-License-Identifier: BSD-2-Clause
// What COM1 gets, on VGA text or with the hypervisor's own text drawing on a framebuffer below 4
// GiB, where the identity map ends.

#include "tests/guest/abi/screen.h"

#include "core/lib/bits.h"
#include "drivers/fb_text.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define VGA_TEXT 0xb8000
#define COLS     80u
#define ROWS     25u
#define BLANK    0x0720

static u32 col, row;
static struct fb_text pixels;

static volatile u16 *cell(u32 y, u32 x)
{
	return (volatile u16 *)(uintptr_t)VGA_TEXT + y * COLS + x;
}

static void scroll(void)
{
	for (u32 i = 0; i < ROWS * COLS; i++)
		*cell(0, i) = i < (ROWS - 1) * COLS ? *cell(1, i) : BLANK;
}

static void text_put(char c)
{
	if (c == '\n' || col == COLS) {
		col = 0;
		if (row + 1 < ROWS)
			row++;
		else
			scroll();
	}
	if (c == '\n')
		return;
	*cell(row, col++) = (u16)(BLANK & 0xff00) | (u8)c;
}

static void pixels_put(char c)
{
	fb_text_write(&pixels, &c, 1);
	if (c == '\n')
		fb_text_flush(&pixels);
}

static bool is_drawable(const struct boot_screen *s)
{
	return s->address != 0 && s->bits >= 15 && s->bits <= 32 &&
	       s->address + (u64)s->pitch * s->height <= GIB(4);
}

static void pixels_open(const struct boot_screen *s)
{
	const u8 *colours = s->colours[1] != 0 ? s->colours : s->colours + 2;
	const struct fb_mode mode = {
		.base = (u8 *)(uintptr_t)s->address,
		.pitch = s->pitch,
		.width = s->width,
		.height = s->height,
		.pixel_bytes = (s->bits + 7u) / 8,
		.red = { colours[0], colours[1] },
		.green = { colours[2], colours[3] },
		.blue = { colours[4], colours[5] },
	};

	fb_text_open(&pixels, &mode);
	tap_screen(pixels_put);
}

void screen_init(void)
{
	const struct boot_screen *s = &boot.screen;

	if ((boot.flags & MB1_INFO_SCREEN) == 0 || s->type == MB1_SCREEN_TEXT) {
		for (u32 i = 0; i < ROWS * COLS; i++)
			*cell(0, i) = BLANK;
		tap_screen(text_put);
	} else if (s->type == MB1_SCREEN_RGB && is_drawable(s)) {
		pixels_open(s);
	}
}
