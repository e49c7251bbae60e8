/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who gets our text: COM1 and the screen until the guest runs, COM2 with log=com2, all of them in a
 * panic. Context: callers serialise.
 */
#pragma once

#include "core/lib/types.h"

/* console_init() - start the boot consoles. @screen: mapping of VGA_TEXT_PA, valid even if unused.
 */
void console_init(bool com1, bool vga, void *screen);

/* console_open_log() - COM2 carries our text from here to the end. False: there is no COM2. */
bool console_open_log(void);

/* console_read_log() - a character typed on COM2 since console_open_log(), -1: none. */
s32 console_read_log(void);

/* console_move_screen() - the mapping of VGA_TEXT_PA changed. */
void console_move_screen(void *screen);

/* console_set_up_com1() - for guests that never program it: 115200 8N1, also when we do not use it.
 */
void console_set_up_com1(void);

/* console_handover() - the first guest instruction is next: COM1 and the screen are the guest's. */
void console_handover(void);

/* console_write() - @panic: to every console there is, re-initialised at the first such call. */
void console_write(const char *s, size_t len, bool panic);
