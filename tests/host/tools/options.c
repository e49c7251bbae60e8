/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of Kensho, from its own table: `make options [NAME=option]` and `make docs`.
 *
 *   options [NAME]               what help= or help=NAME prints
 *   options --markdown kensho    rows of boot/option/options.def, as a Markdown table
 *   options --markdown partition rows of core/config.def and the ABIs' own
 *   options --markdown NAME...   these rows
 */
#include <stdio.h>
#include <string.h>

#include "boot/option/option.h"

static void line(const char *text)
{
	puts(text);
}

/* A bar would end the cell, and a page of docs/ that is named becomes a link. */
static void cell(const char *text)
{
	for (; *text != '\0'; text++) {
		size_t len = strspn(text, "abcdefghijklmnopqrstuvwxyz/-.");

		if (strncmp(text, "docs/", 5) == 0) {
			while (text[len - 1] == '.')
				len--;
			printf("[%.*s](%.*s)", (int)(len - 5), text + 5, (int)len, text);
			text += len - 1;
		} else if (*text == '|') {
			printf("\\|");
		} else {
			putchar(*text);
		}
	}
}

static void values(const struct option_row *row)
{
	const char *text = row->values;

	if (row->type == OPTION_UINT) {
		printf("%u to %u%s", row->min, row->max, strcmp(text, "NS|-1") == 0 ? ", -1" : "");
	} else if (strlen(text) > 60) {
		printf("a name");
	} else {
		printf("`");
		cell(text);
		printf("`");
	}
}

static void markdown_row(const struct option_row *row)
{
	printf("| `%s` | ", row->name);
	values(row);
	printf(" | %s | ", row->dflt);
	cell(row->help);
	if (row->more[0] != '\0') {
		printf(". ");
		cell(row->more);
	}
	printf(" |\n");
}

static bool is_wanted(const struct option_row *row, char **names, int count)
{
	for (int i = 0; i < count; i++) {
		if (strcmp(names[i], row->name) == 0 ||
		    strcmp(names[i], row->is_config ? "partition" : "kensho") == 0)
			return true;
	}
	return false;
}

static int markdown(char **names, int count)
{
	printf("| option | values | default | meaning |\n|---|---|---|---|\n");
	for (u32 i = 0; i < option_row_count; i++) {
		if (is_wanted(&option_rows[i], names, count))
			markdown_row(&option_rows[i]);
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct options o;
	char words[64] = "help", msg[256];

	if (argc > 1 && strcmp(argv[1], "--markdown") == 0)
		return markdown(argv + 2, argc - 2);
	if (argc > 1)
		snprintf(words, sizeof(words), "help=%s", argv[1]);
	options_default(&o);
	if (options_parse(&o, words, msg, sizeof(msg)) != ERR_NONE) {
		fprintf(stderr, "%s\n", msg);
		return 1;
	}
	options_print(o.help, line);
	return 0;
}
