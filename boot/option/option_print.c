/* SPDX-License-Identifier: BSD-2-Clause */
/* help= and help=NAME: the table of options as text of 80 columns. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define COLUMNS     79u /* a line of 80 would make a screen add an empty one */
#define ROW_INDENT  2u
#define HELP_INDENT 6u

/* How much of @text fits in @room: up to a blank, or past a bar. */
static size_t piece(const char *text, size_t room)
{
	size_t len = strlen(text), cut = 0;

	if (len <= room)
		return len;
	for (size_t i = 0; i <= room; i++) {
		if (text[i] == ' ')
			cut = i;
		else if (i < room && text[i] == '|')
			cut = i + 1;
	}
	return cut != 0 ? cut : room;
}

static void print_wrapped(const char *text, u32 indent, void (*line)(const char *text))
{
	while (*text != '\0') {
		size_t len = piece(text, COLUMNS - indent);
		char out[COLUMNS + 1];

		fmt_print(out, sizeof(out), "%*s%.*s", (int)indent, "", (int)len, text);
		line(out);
		text += len;
		while (*text == ' ')
			text++;
	}
}

void option_print_row(const char *row, const char *help, void (*line)(const char *text))
{
	print_wrapped(row, ROW_INDENT, line);
	print_wrapped(help, HELP_INDENT, line);
}

/* "name=values [default]"; help=NAME alone shows values longer than a line. */
static void print_option(const struct option_row *row, bool in_full, void (*line)(const char *text))
{
	char text[512], range[48] = "";
	const char *values = row->values;

	if (row->type == OPTION_UINT)
		fmt_print(range, sizeof(range), " (%u to %u)", row->min, row->max);
	if (!in_full && strlen(values) > COLUMNS / 2)
		values = "NAME";
	fmt_print(text, sizeof(text), "%s=%s%s [%s]", row->name, values, range, row->dflt);
	option_print_row(text, row->help, line);
}

void options_print(u32 help, void (*line)(const char *text))
{
	if (help >= HELP_ROW) {
		const struct option_row *row = &option_rows[help - HELP_ROW];

		print_option(row, true, line);
		print_wrapped(row->more, HELP_INDENT, line);
		if (row->type == OPTION_CPU)
			option_cpu_print(line);
		return;
	}
	for (u32 i = 0; i < option_row_count; i++)
		print_option(&option_rows[i], false, line);
	option_cpu_print(line);
}
