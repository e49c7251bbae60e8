/* SPDX-License-Identifier: BSD-2-Clause */
/* Our own font: printable ASCII in 8 x 8 dots, made to be shown twice as high. */
#pragma once

#include "core/lib/types.h"

#define FONT_FIRST 0x20u
#define FONT_OTHER 0x7fu /* the box that stands for what has no glyph */
#define FONT_COUNT (FONT_OTHER - FONT_FIRST + 1)

/* [character - FONT_FIRST][line from the top]; bit 7 is the leftmost dot. */
extern const u8 font8x8[FONT_COUNT][8];
