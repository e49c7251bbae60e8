/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Text on a linear framebuffer of 15 to 32 bits per pixel. Device memory is slow to write and far
 * slower to read: never read it, and draw only cells that change. Pure: draws into the memory it is
 * given. Context: callers serialise.
 */
#pragma once

#include "core/lib/tone.h"
#include "core/lib/types.h"

/* Cells of 8 x 16 pixels fill 1920 x 1280; what a larger screen has beyond these stays empty. */
#define FB_COLS_MAX 240u
#define FB_ROWS_MAX 80u

/* Bounds the time of a write: it draws at most this many cells, or one whole line. */
#define FB_CELLS_PER_WRITE 320u

#define FB_SCALE_MAX 16u

/* @size bits of a pixel from bit @pos on. */
struct fb_channel {
	u8 pos, size;
};

struct fb_mode {
	u8 *base;
	u32 pitch; /* bytes from one line of pixels to the next */
	u32 width, height;
	u32 pixel_bytes; /* 2 to 4 */
	struct fb_channel red, green, blue;
};

struct fb_text {
	struct fb_mode mode;
	u32 cols, rows; /* 0: not open */
	u32 scale;      /* screen pixels per dot, across */
	u32 scale_y;    /* and down */
	u32 col, row;   /* where the next character goes; may be one past the end */
	bool keeps;     /* the first screenful stays */
	enum tone tone; /* of new text */
	u64 drawn;      /* cells, ever */
	u8 dots[TONES][16][4 * FB_SCALE_MAX * 4]; /* the pixels of four dots, by their bits */
	u8 tones[FB_ROWS_MAX];                    /* of each row */
	bool dirty[FB_ROWS_MAX];                  /* the row may differ from what is shown */
	u8 text[FB_ROWS_MAX][FB_COLS_MAX];
	u8 shown[FB_ROWS_MAX][FB_COLS_MAX];
};

/* fb_text_open() - clear the screen. @mode: passed framebuffer_refusal(). */
void fb_text_open(struct fb_text *t, const struct fb_mode *mode);

/* fb_text_panic() - the same in alarm colours; the first screenful stays. */
void fb_text_panic(struct fb_text *t, const struct fb_mode *mode);

/* fb_text_tone() - new rows are in the colours of @tone from now on; existing ones stay. */
void fb_text_tone(struct fb_text *t, enum tone tone);

/* fb_text_write() - scrolls several rows at once. Draws the newest row first; the rest may be
 * left for the next lines or fb_text_flush(). */
void fb_text_write(struct fb_text *t, const char *s, size_t len);

/* fb_text_flush() - draw all that is pending. */
void fb_text_flush(struct fb_text *t);
