/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Demonstration guest: COM1 gets everything, in order; the screen shows it in pages. Pages are kept
 * as text; screen.c draws them.
 */
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "guests/demo/demo.h"

#define COLS      SCREEN_COLS
#define PAGE_ROWS (SCREEN_ROWS - 2) /* between the title and the status line */
#define PAGES     16u

#define COM1        0x3f8
#define LSR_DATA    0x01
#define LSR_EMPTY   0x20
#define SEND_SPINS  100000 /* longer means no UART */
#define KBC_DATA    0x60
#define KBC_STATUS  0x64
#define KBC_FULL    0x01
#define KBC_RELEASE 0x80

#define ATTR_TEXT  0x07
#define ATTR_TITLE 0x1f

static struct page {
	char title[40];
	char text[PAGE_ROWS][COLS];
} pages[PAGES];

static u32 page_count, row, col;
static bool has_com1;

static void com1_put(char c)
{
	u32 spins = SEND_SPINS;

	if (!has_com1)
		return;
	while ((port_in8(COM1 + 5) & LSR_EMPTY) == 0) {
		if (--spins == 0) {
			has_com1 = false;
			return;
		}
	}
	port_out8(COM1, (u8)c);
}

/* 115200 8N1, as Kensho and GRUB use it. */
void console_open(void)
{
	port_out8(COM1 + 1, 0);
	port_out8(COM1 + 3, 0x80);
	port_out8(COM1, 1);
	port_out8(COM1 + 1, 0);
	port_out8(COM1 + 3, 3);
	port_out8(COM1 + 2, 7);
	port_out8(COM1 + 4, 3);
	has_com1 = port_in8(COM1 + 5) != 0xff;
}

static void draw_line(u32 y, const char *text, u32 len, u8 attr)
{
	for (u32 x = 0; x < COLS; x++)
		screen_cell(y, x, x < len && text[x] != '\0' ? text[x] : ' ', attr);
}

void page_show(u32 n)
{
	char title[COLS + 1];
	const struct page *p;

	if (page_count == 0)
		return;
	n %= page_count;
	p = &pages[n];
	fmt_print(title, sizeof(title), " Kensho demonstration guest, page %u of %u: %s", n + 1,
		  page_count, p->title);
	draw_line(0, title, (u32)strlen(title), ATTR_TITLE);
	for (u32 y = 0; y < PAGE_ROWS; y++)
		draw_line(y + 1, p->text[y], COLS, ATTR_TEXT);
}

void status_line(const char *text)
{
	draw_line(SCREEN_ROWS - 1, text, (u32)strlen(text), ATTR_TITLE);
}

static void page_add(const char *title)
{
	if (page_count == PAGES)
		return;
	fmt_print(pages[page_count].title, sizeof(pages[0].title), "%s", title);
	page_count++;
	row = 0;
	col = 0;
}

static void page_put(char c)
{
	char more[40];

	if (page_count == 0)
		return;
	if (c == '\n') {
		row++;
		col = 0;
		return;
	}
	if (row >= PAGE_ROWS) {
		fmt_print(more, sizeof(more), "%s", pages[page_count - 1].title);
		page_add(more);
	}
	if (row < PAGE_ROWS && col < COLS)
		pages[page_count - 1].text[row][col++] = c;
}

static void com1_text(const char *p)
{
	for (; *p != '\0'; p++) {
		if (*p == '\n')
			com1_put('\r');
		com1_put(*p);
	}
}

/* The screen shows the title above the page. */
void page_begin(const char *title)
{
	page_add(title);
	com1_text("\n== ");
	com1_text(title);
	com1_text("\n");
}

void print(const char *fmt, ...)
{
	char line[256];
	va_list ap;

	va_start(ap, fmt);
	fmt_vprint(line, sizeof(line), fmt, ap);
	va_end(ap);
	com1_text(line);
	for (const char *p = line; *p != '\0'; p++)
		page_put(*p);
}

/* Scan codes (set 1) of the keys we use; all others mean "next page". */
static char key_of(u8 code)
{
	static const struct {
		u8 code;
		char key;
	} keys[] = { { 0x13, 'r' }, { 0x19, 'p' }, { 0x31, 'n' }, { 0x30, 'b' } };

	for (u32 i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].code == code)
			return keys[i].key;
	}
	return ' ';
}

char key_read(void)
{
	u8 status = port_in8(KBC_STATUS), code;

	if (has_com1 && (port_in8(COM1 + 5) & LSR_DATA) != 0)
		return (char)port_in8(COM1);
	if (status == 0xff || (status & KBC_FULL) == 0)
		return 0;
	code = port_in8(KBC_DATA);
	/* Bit 5: mouse data. */
	return (code & KBC_RELEASE) != 0 || (status & 0x20) != 0 ? 0 : key_of(code);
}
