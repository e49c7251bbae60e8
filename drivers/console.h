/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets our text: COM1 and the screen until the guest runs, COM2 with log=com2, all of them in a
 * panic. Context: callers serialise.
 */
#pragma once

#include "core/lib/types.h"

struct fb_mode;

/* console_set_text_screen() - the screen is VGA text. @screen: mapping of VGA_TEXT_PA, NULL: a
 * mapping follows. For panics, too: before console_init(). */
void console_set_text_screen(void *screen);

/* console_set_framebuffer() - the screen is a linear framebuffer; NULL: there is none that we can
 * write on, and no text. */
void console_set_framebuffer(const struct fb_mode *mode);

/* console_init() - start the boot consoles. */
void console_init(bool com1, bool screen);

/* console_open_log() - COM2 carries our text from here to the end. False: there is no COM2. */
bool console_open_log(void);

/* console_read_log() - a character typed on COM2 since console_open_log(), -1: none. */
s32 console_read_log(void);

/* console_move_screen() - the mapping of VGA_TEXT_PA changed. No other kind of screen moves. */
void console_move_screen(void *screen);

/* console_flush() - what a screen still owes us, before the machine stops or is left alone. */
void console_flush(void);

/* console_cursor() - column and row where the next text of the 80x25 screen goes; else 0, 0. */
void console_cursor(u8 *col, u8 *row);

/* console_set_up_com1() - for guests that never program it: 115200 8N1, also when we do not use it.
 */
void console_set_up_com1(void);

/* console_handover() - the first guest instruction is next: COM1 and the screen are the guest's. */
void console_handover(void);

/* console_alarm() - the last words of a boot follow: every console gets them, a screen in alarm
 * colours. One that has the log so far keeps it. */
void console_alarm(void);

/* console_write() - @panic: to every console there is, re-initialised at the first such call
 * unless console_alarm() came before. */
void console_write(const char *s, size_t len, bool panic);
