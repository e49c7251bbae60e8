/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * help and help=NAME: the options as text of 80 columns, a page of 25 lines at a time. NAME is an
 * option or a feature of cpu=. Boot time, pure.
 */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "hv/hv.h"

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

/* All of @abi; NULL: those of no ABI, and the ABIs' interfaces. */
static void print_features(const struct hv_abi *abi, void (*line)(const char *text))
{
	struct cells c = { .line = line };

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];
		bool is_whole = f->abi != NULL && f->abi->whole == i;

		if (f->abi == abi || (abi == NULL && is_whole))
			cells_add(&c, f->name, feature_default(i));
	}
	cells_flush(&c);
}

static void print_abis(void (*line)(const char *text))
{
	line("Features, as in cpu=host,NAME=off; help=kvm and help=hyperv list them all:");
	print_features(NULL, line);
}

static void print_overview(void (*line)(const char *text))
{
	struct cells c = { .line = line };

	line("Options and their defaults; help=NAME says all about one:");
	for (u32 i = 0; i < option_row_count; i++)
		cells_add(&c, option_rows[i].name, option_rows[i].dflt);
	cells_flush(&c);
	print_abis(line);
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
		print_abis(line);
}

static void print_setting(const struct cpu_setting *s, void (*line)(const char *text))
{
	char text[128];

	if (s->text != NULL)
		fmt_print(text, sizeof(text), "cpu=host,%s=TEXT (at most %u characters) [%s]",
			  s->name, s->max, s->text);
	else
		fmt_print(text, sizeof(text), "cpu=host,%s=N (0 to 0x%x) [0x%x]", s->name, s->max,
			  s->number);
	print_wrapped(text, ROW_INDENT, line);
	print_wrapped(s->help, HELP_INDENT, line);
}

/* The profiles that have the feature, as a line; none: nothing. */
static void print_profiles(u32 feature, void (*line)(const char *text))
{
	char text[128];
	size_t n = 0;

	for (u32 i = 0; i < option_row_count; i++) {
		struct word rest = { option_rows[i].values, strlen(option_rows[i].values) };
		bool more = strcmp(option_rows[i].name, "profile") == 0;

		for (u32 k = 0; more; k++) {
			struct word name = word_cut(&rest, '|', &more);

			if (option_cpu_profile(k) & BIT64(feature))
				n += fmt_print(text + n, sizeof(text) - n, "%s %.*s",
					       n == 0 ? "in profile" : ",", (int)name.len, name.s);
		}
	}
	if (n != 0)
		print_wrapped(text, HELP_INDENT, line);
}

static void print_feature(u32 i, void (*line)(const char *text))
{
	const struct hv_feature *f = hv_features[i];
	const struct cpu_setting *setting =
		option_setting_find((struct word){ f->name, strlen(f->name) });
	u64 needs = hv_feature_needs(i);
	char text[128];

	fmt_print(text, sizeof(text), "cpu=host,%s=on|off%s [%s]", f->name,
		  f->has_auto ? "|auto" : "", feature_default(i));
	print_wrapped(text, ROW_INDENT, line);
	print_wrapped(f->help, HELP_INDENT, line);
	if (setting != NULL)
		print_setting(setting, line);
	print_profiles(i, line);
	for (u32 k = 0; k < FEATURE_COUNT; k++) {
		if (needs & BIT64(k)) {
			fmt_print(text, sizeof(text), "needs %s", hv_features[k]->name);
			print_wrapped(text, HELP_INDENT, line);
		}
	}
	if (f->needs_hlt_exit)
		print_wrapped("needs hlt=exit", HELP_INDENT, line);
	if (f->abi != NULL && f->abi->whole == i)
		print_features(f->abi, line);
}

/* What help= counts: the options, the features, the settings. */
static const char *topic_name(u32 topic)
{
	if (topic < option_row_count)
		return option_rows[topic].name;
	topic -= option_row_count;
	return topic < FEATURE_COUNT ? hv_features[topic]->name
				     : cpu_settings[topic - FEATURE_COUNT].name;
}

static u32 topic_count(void)
{
	return option_row_count + FEATURE_COUNT + cpu_setting_count;
}

void options_print(u32 help, void (*line)(const char *text))
{
	u32 topic = help - HELP_TOPIC;

	if (help < HELP_TOPIC)
		print_overview(line);
	else if (topic < option_row_count)
		print_option(&option_rows[topic], line);
	else if (topic - option_row_count < FEATURE_COUNT)
		print_feature(topic - option_row_count, line);
	else
		print_setting(&cpu_settings[topic - option_row_count - FEATURE_COUNT], line);
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
