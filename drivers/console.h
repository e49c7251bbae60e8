/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which consoles get our text: COM1 and the screen until the guest runs, COM2 with log=com2, all of
 * them in a panic. Context: callers serialise.
 */
#pragma once

#include "core/lib/tone.h"
#include "core/lib/types.h"

struct fb_mode;

/* console_set_text_screen() - the screen is VGA text. @screen: mapping of VGA_TEXT_PA, NULL: a
 * mapping follows. Call it before console_init(): panics need it, too. */
void console_set_text_screen(void *screen);

/* console_set_framebuffer() - the screen is a linear framebuffer; NULL: no usable framebuffer,
 * and no text screen. */
void console_set_framebuffer(const struct fb_mode *mode);

/* console_init() - start the boot consoles. */
void console_init(bool com1, bool screen);

/* console_open_log() - COM2 carries our text from now on. False: there is no COM2. */
bool console_open_log(void);

/* console_read_log() - a character typed on COM2 since console_open_log(), -1: none. */
s32 console_read_log(void);

/* console_move_screen() - the mapping of VGA_TEXT_PA changed. No other kind of screen moves. */
void console_move_screen(void *screen);

/* console_flush() - draw all that is pending, before the machine stops or is handed over. */
void console_flush(void);

/* console_cursor() - column and row where the next text of the 80x25 screen goes; else 0, 0. */
void console_cursor(u8 *col, u8 *row);

/* console_com1(), console_com2() - uart_state() of the port. */
const char *console_com1(void);
const char *console_com2(void);

/* console_set_up_com1() - 115200 8N1, even if we do not use it: for guests that never program
 * it. */
void console_set_up_com1(void);

/* console_handover() - the guest is about to run: COM1 and the screen are the guest's from now
 * on. */
void console_handover(void);

/* console_tone() - what follows are the last words of a boot: they go to every console, in the
 * colour of @tone, on a screen below the log so far. Serial lines get it as an escape sequence of
 * ECMA-48 (SGR), before the text and, for TONE_PLAIN, behind it. */
void console_tone(enum tone tone);

/* console_write() - @panic: to every console there is, re-initialised at the first such call
 * unless console_tone() came before. */
void console_write(const char *s, size_t len, bool panic);
