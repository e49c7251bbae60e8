/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * help and help=NAME: the options as text of 80 columns, a page of 25 lines at a time. NAME is an
 * option or a feature of cpu=. Boot time, pure.
 */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "hv/feature.h"

#define COLUMNS     79u /* a line of 80 would make a screen add an empty one */
#define CELL        26u /* of the overview: three in a line */
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

/* Cells of CELL characters, or twice that, as many as fit in a line. */
struct cells {
	char text[COLUMNS + 1];
	u32 used;
	void (*line)(const char *text);
};

static void cells_flush(struct cells *c)
{
	size_t len = strlen(c->text);

	while (len > 0 && c->text[len - 1] == ' ')
		c->text[--len] = '\0';
	if (len > 0)
		c->line(c->text);
	c->text[0] = '\0';
	c->used = 0;
}

static void cells_add(struct cells *c, const char *name, const char *value)
{
	char cell[2 * CELL];
	u32 width = fmt_print(cell, sizeof(cell), "%s=%s", name, value) < CELL ? CELL : 2 * CELL;

	if (c->used + width > 3 * CELL)
		cells_flush(c);
	fmt_print(c->text + c->used, sizeof(c->text) - c->used, "%-*s", (int)width, cell);
	c->used += width;
}

static const char *feature_default(u32 feature)
{
	return (option_cpu_profile(PROFILE_KVM) & BIT64(feature)) ? "on" : "off";
}

static void print_features(void (*line)(const char *text))
{
	struct cells c = { .line = line };

	for (u32 i = 0; i < FEATURE_COUNT; i++)
		cells_add(&c, hv_features[i]->name, feature_default(i));
	cells_flush(&c);
}

static void print_overview(void (*line)(const char *text))
{
	struct cells c = { .line = line };

	line("Options and their defaults; help=NAME says all about one:");
	for (u32 i = 0; i < option_row_count; i++)
		cells_add(&c, option_rows[i].name, option_rows[i].dflt);
	cells_flush(&c);
	line("Features, as in cpu=host,NAME=off; help=NAME knows them, too:");
	print_features(line);
}

/* "name=values [default]", its help and the rest. */
static void print_option(const struct option_row *row, void (*line)(const char *text))
{
	char text[512], range[48] = "";

	if (row->type == OPTION_UINT)
		fmt_print(range, sizeof(range), " (%u to %u)", row->min, row->max);
	fmt_print(text, sizeof(text), "%s=%s%s [%s]", row->name, row->values, range, row->dflt);
	print_wrapped(text, ROW_INDENT, line);
	print_wrapped(row->help, HELP_INDENT, line);
	print_wrapped(row->more, HELP_INDENT, line);
	if (row->type == OPTION_CPU)
		print_features(line);
}

static void print_feature(u32 i, void (*line)(const char *text))
{
	const struct hv_feature *f = hv_features[i];
	u64 needs = hv_feature_needs(i);
	char text[128];

	fmt_print(text, sizeof(text), "cpu=host,%s=on|off [%s]", f->name, feature_default(i));
	print_wrapped(text, ROW_INDENT, line);
	print_wrapped(f->help, HELP_INDENT, line);
	for (u32 k = 0; k < FEATURE_COUNT; k++) {
		if (needs & BIT64(k)) {
			fmt_print(text, sizeof(text), "needs %s", hv_features[k]->name);
			print_wrapped(text, HELP_INDENT, line);
		}
	}
	if (f->needs_hlt_exit)
		print_wrapped("needs hlt=exit", HELP_INDENT, line);
}

/* What help= counts: the options, then the features. */
static const char *topic_name(u32 topic)
{
	return topic < option_row_count ? option_rows[topic].name
					: hv_features[topic - option_row_count]->name;
}

static u32 topic_count(void)
{
	return option_row_count + FEATURE_COUNT;
}

void options_print(u32 help, void (*line)(const char *text))
{
	u32 topic = help - HELP_TOPIC;

	if (help < HELP_TOPIC)
		print_overview(line);
	else if (topic < option_row_count)
		print_option(&option_rows[topic], line);
	else
		print_feature(topic - option_row_count, line);
}

err_t option_help_find(struct parse *p, struct word val, u32 *help)
{
	const char *near = topic_name(0);
	u32 best = ~0u;

	for (u32 i = 0; i < topic_count(); i++) {
		if (word_is(val, topic_name(i)) ||
		    (i >= option_row_count && option_cpu_is_named(val, topic_name(i)))) {
			*help = HELP_TOPIC + i;
			return ERR_NONE;
		}
		word_closer(val, topic_name(i), &best, &near);
	}
	fmt_print(p->msg, p->msg_len,
		  "option help=%.*s: there is no such option, did you mean \"%s\"?", (int)val.len,
		  val.s, near);
	return ERR_NOENT;
}

void option_help_value(u32 help, char *text, size_t len)
{
	if (help < HELP_TOPIC)
		fmt_print(text, len, "%s", help == HELP_ON ? "on" : "off");
	else
		fmt_print(text, len, "%s", topic_name(help - HELP_TOPIC));
}
