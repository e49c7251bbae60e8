/* SPDX-License-Identifier: BSD-2-Clause */
/* Text for people in lines that end between words. Pure. */
#include "core/lib/wrap.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"

/* Length of the line that @s begins with, blanks at its end not counted. */
static size_t line_len(const char *s)
{
	size_t last = 0;

	for (size_t i = 0; i <= WRAP_COLUMNS; i++) {
		bool ends = s[i] == ' ' || s[i] == '\0';

		if (ends && i > 0 && s[i - 1] != ' ')
			last = i;
		if (s[i] == '\0')
			break;
	}
	return last != 0 ? last : WRAP_COLUMNS;
}

void wrap_text(const char *text, void (*print)(const char *line))
{
	char line[WRAP_COLUMNS + 1];

	for (;;) {
		size_t len;

		while (*text == ' ')
			text++;
		if (*text == '\0')
			return;
		len = line_len(text);
		memcpy(line, text, len);
		line[len] = '\0';
		print(line);
		text += len;
	}
}
