/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The options of Kensho on the host, by its own table and parser: what `make options` prints,
 * `make docs` puts into pages, and `make run` and `make iso` check before they build anything.
 *
 * options [NAME]: all about every option and feature, or about one.
 *
 * options --check WORDS: exit status 0 if a boot with this command line goes on, 1 with the reason
 * if it is refused, 3 if it asks for help, which is printed.
 *
 * options --markdown kensho: rows of boot/option/options.def as a table; partition: rows of
 * core/config.def and the ABIs' own; NAME...: these rows.
 */
#include <stdio.h>
#include <string.h>

#include "boot/option/option_internal.h"
#include "hv/feature.h"

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

static int check(const char *words)
{
	static struct options o;
	char msg[512];

	options_default(&o);
	if (options_parse(&o, words, msg, sizeof(msg)) != ERR_NONE) {
		fprintf(stderr, "%s\n", msg);
		return 1;
	}
	if (o.help == HELP_OFF)
		return 0;
	options_print(o.help, line);
	return 3;
}

static int everything(void)
{
	u32 topics = option_row_count + FEATURE_COUNT + cpu_setting_count;

	for (u32 i = 0; i < topics; i++)
		options_print(HELP_TOPIC + i, line);
	return 0;
}

static int about(const char *name)
{
	char words[256];

	snprintf(words, sizeof(words), "help=%s", name);
	return check(words) == 3 ? 0 : 1;
}

int main(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "--markdown") == 0)
		return markdown(argv + 2, argc - 2);
	if (argc == 3 && strcmp(argv[1], "--check") == 0)
		return check(argv[2]);
	return argc > 1 ? about(argv[1]) : everything();
}
