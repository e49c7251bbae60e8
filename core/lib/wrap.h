/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for people in lines that end between words. Pure. */
#pragma once

#include "core/lib/types.h"

#define WRAP_COLUMNS 79u /* in column 80 some terminals add a line of their own */

/**
 * wrap_text() - @print @text in lines of at most WRAP_COLUMNS characters without blanks at their
 * ends. A word longer than a line begins a line and is cut.
 */
void wrap_text(const char *text, void (*print)(const char *line));
