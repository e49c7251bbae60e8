/* SPDX-License-Identifier: BSD-2-Clause */
/* VGA text screen. Source: IBM VGA technical reference, "CRT Controller". */
#include "drivers/vga_text.h"

#include "arch/x86/insn.h"

#define COLS 80u
#define ROWS 25u

#define CRTC_INDEX       0x3d4
#define CRTC_DATA        0x3d5
#define CRTC_START_HIGH  0x0c
#define CRTC_START_LOW   0x0d
#define CRTC_CURSOR_HIGH 0x0e
#define CRTC_CURSOR_LOW  0x0f

#define ATTR_NORMAL 0x0700u
#define ATTR_GOOD   0x2f00u /* white on green */
#define ATTR_PANIC  0x4f00u /* white on red */

static struct {
	volatile u16 *cells; /* device memory: every store is seen */
	u32 pos;
	u16 attr;
	bool full;  /* the row has just been filled: swallow a newline */
	bool panic; /* keep the first screenful, which names the cause; the rest is on COM1 */
} vga;

static u8 crtc_read(u8 reg)
{
	outb(CRTC_INDEX, reg);
	return inb(CRTC_DATA);
}

static void crtc_write(u8 reg, u8 val)
{
	outb(CRTC_INDEX, reg);
	outb(CRTC_DATA, val);
}

static void show_cursor(void)
{
	crtc_write(CRTC_CURSOR_HIGH, (u8)(vga.pos >> 8));
	crtc_write(CRTC_CURSOR_LOW, (u8)vga.pos);
}

void vga_init(void)
{
	vga.attr = ATTR_NORMAL;
	vga.pos = (u32)crtc_read(CRTC_CURSOR_HIGH) << 8 | crtc_read(CRTC_CURSOR_LOW);
	if (vga.pos % COLS != 0)
		vga.pos += COLS - vga.pos % COLS;
	if (vga.pos > COLS * (ROWS - 1))
		vga.pos = COLS * (ROWS - 1);
}

void vga_move(void *buffer)
{
	vga.cells = buffer;
}

void vga_panic(void)
{
	if (vga.cells == NULL)
		return;
	vga.attr = ATTR_PANIC;
	vga.panic = true;
	vga.full = false;
	vga.pos = 0;
	crtc_write(CRTC_START_HIGH, 0);
	crtc_write(CRTC_START_LOW, 0);
	for (u32 i = 0; i < COLS * ROWS; i++)
		vga.cells[i] = ATTR_PANIC | ' ';
}

void vga_tone(enum tone tone)
{
	static const u16 attr[TONES] = {
		[TONE_PLAIN] = ATTR_NORMAL,
		[TONE_GOOD] = ATTR_GOOD,
		[TONE_BAD] = ATTR_PANIC,
	};

	vga.attr = attr[tone];
}

static void blank_row(u32 first, u16 attr)
{
	for (u32 i = first; i < first + COLS; i++)
		vga.cells[i] = attr | ' ';
}

static void vga_scroll(void)
{
	for (u32 i = 0; i < COLS * (ROWS - 1); i++)
		vga.cells[i] = vga.cells[i + COLS];
	blank_row(COLS * (ROWS - 1), ATTR_NORMAL);
	vga.pos -= COLS;
}

void vga_write(const char *s, size_t len)
{
	if (vga.cells == NULL || vga.pos >= COLS * ROWS)
		return;
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\n') {
			vga.pos += vga.full ? 0 : COLS - vga.pos % COLS;
			vga.full = false;
		} else if (s[i] != '\r') {
			if (vga.attr != ATTR_NORMAL && vga.pos % COLS == 0)
				blank_row(vga.pos, vga.attr);
			vga.cells[vga.pos] = (u16)(vga.attr | (u8)s[i]);
			vga.pos++;
			vga.full = vga.pos % COLS == 0;
		}
		if (vga.pos >= COLS * ROWS) {
			if (vga.panic)
				break;
			vga_scroll();
		}
	}
	show_cursor();
}

void vga_cursor(u8 *col, u8 *row)
{
	*col = (u8)(vga.pos % COLS);
	*row = (u8)(vga.pos / COLS);
}
