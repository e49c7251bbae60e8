/* SPDX-License-Identifier: BSD-2-Clause */
/* VGA text screen, 80 x 25. Context: callers serialise. */
#pragma once

#include "core/lib/tone.h"
#include "core/lib/types.h"

#define VGA_TEXT_PA    0xb8000
#define VGA_TEXT_BYTES 0x1000

/* vga_init() - continue below the boot loader's text. */
void vga_init(void);

/* vga_move() - the mapping of VGA_TEXT_PA; NULL: writes are dropped until there is one. */
void vga_move(void *buffer);

/* vga_panic() - a clean screen in alarm colours, wherever the guest had scrolled it. */
void vga_panic(void);

/* vga_tone() - what follows is in the colours of @tone, in whole rows, below what is there. */
void vga_tone(enum tone tone);

void vga_write(const char *s, size_t len);

/* vga_cursor() - where the next text goes. */
void vga_cursor(u8 *col, u8 *row);
