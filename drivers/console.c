/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which consoles get our text. */
#include "drivers/console.h"

#include "arch/x86/insn.h"
#include "core/lib/string.h"
#include "drivers/fb_text.h"
#include "drivers/uart16550.h"
#include "drivers/vga_text.h"

enum screen_kind { SCREEN_NONE, SCREEN_TEXT, SCREEN_FRAMEBUFFER };

static struct {
	struct uart com1, com2;
	bool use_com1, use_screen, use_com2;
	bool panic;
	enum screen_kind screen;
	struct fb_mode mode; /* SCREEN_FRAMEBUFFER */
} con;

static struct fb_text fb;

/* --- Any kind of screen --- */

static void screen_open(void)
{
	if (con.screen == SCREEN_TEXT)
		vga_init();
	else if (con.screen == SCREEN_FRAMEBUFFER)
		fb_text_open(&fb, &con.mode);
}

static void screen_panic(void)
{
	if (con.screen == SCREEN_TEXT)
		vga_panic();
	else if (con.screen == SCREEN_FRAMEBUFFER)
		fb_text_panic(&fb, &con.mode);
}

static void screen_tone(enum tone tone)
{
	if (con.screen == SCREEN_TEXT)
		vga_tone(tone);
	else if (con.screen == SCREEN_FRAMEBUFFER)
		fb_text_tone(&fb, tone);
}

static void screen_write(const char *s, size_t len)
{
	if (con.screen == SCREEN_TEXT) {
		vga_write(s, len);
	} else if (con.screen == SCREEN_FRAMEBUFFER) {
		fb_text_write(&fb, s, len);
		if (con.panic)
			fb_text_flush(&fb); /* no later call will complete it */
		memory_fence(); /* drain the write-combining buffers: the machine may stop now */
	}
}

void console_set_text_screen(void *screen)
{
	con.screen = SCREEN_TEXT;
	vga_move(screen);
}

void console_set_framebuffer(const struct fb_mode *mode)
{
	con.screen = mode != NULL ? SCREEN_FRAMEBUFFER : SCREEN_NONE;
	if (mode != NULL)
		con.mode = *mode;
}

void console_move_screen(void *screen)
{
	if (con.screen == SCREEN_TEXT)
		vga_move(screen);
}

void console_flush(void)
{
	if (con.use_screen && con.screen == SCREEN_FRAMEBUFFER) {
		fb_text_flush(&fb);
		memory_fence();
	}
}

void console_cursor(u8 *col, u8 *row)
{
	*col = 0;
	*row = 0;
	if (con.screen == SCREEN_TEXT)
		vga_cursor(col, row);
}

/* --- All consoles --- */

void console_init(bool com1, bool screen)
{
	con.use_com1 = com1;
	con.use_screen = screen;
	if (com1)
		uart_init(&con.com1, UART_COM1);
	if (screen)
		screen_open();
}

bool console_open_log(void)
{
	uart_init(&con.com2, UART_COM2);
	con.use_com2 = con.com2.live;
	return con.use_com2;
}

s32 console_read_log(void)
{
	return con.use_com2 ? uart_read(&con.com2) : -1;
}

const char *console_com1(void)
{
	return uart_state(&con.com1);
}

const char *console_com2(void)
{
	return uart_state(&con.com2);
}

void console_set_up_com1(void)
{
	if (!con.use_com1)
		uart_init(&con.com1, UART_COM1);
}

void console_handover(void)
{
	if (con.use_com1)
		uart_flush(&con.com1);
	console_flush();
	con.use_com1 = false;
	con.use_screen = false;
}

static void console_panic(void)
{
	con.panic = true;
	uart_flush(&con.com1); /* or programming the port would drop what it still holds */
	uart_flush(&con.com2);
	uart_init(&con.com1, UART_COM1);
	uart_init(&con.com2, UART_COM2);
	con.use_com1 = true;
	con.use_com2 = true;
	con.use_screen = true;
	screen_panic();
	uart_write(&con.com1, "\n", 1); /* the guest may have stopped mid-line */
}

/* What is open stays as it is. */
static void open_others(void)
{
	if (!con.use_com1)
		uart_init(&con.com1, UART_COM1);
	if (!con.use_com2)
		uart_init(&con.com2, UART_COM2);
	if (!con.use_screen)
		screen_open();
	con.use_com1 = true;
	con.use_com2 = true;
	con.use_screen = true;
	con.panic = true;
}

void console_tone(enum tone tone)
{
	static const char sequence[TONES][8] = {
		[TONE_PLAIN] = "\033[0m",
		[TONE_GOOD] = "\033[1;32m",
		[TONE_BAD] = "\033[1;31m",
	};

	if (!con.panic)
		open_others();
	uart_write(&con.com1, sequence[tone], strlen(sequence[tone]));
	uart_write(&con.com2, sequence[tone], strlen(sequence[tone]));
	screen_tone(tone);
}

void console_write(const char *s, size_t len, bool panic)
{
	if (panic && !con.panic)
		console_panic();
	if (con.use_com1)
		uart_write(&con.com1, s, len);
	if (con.use_com2)
		uart_write(&con.com2, s, len);
	if (con.use_screen)
		screen_write(s, len);
}
