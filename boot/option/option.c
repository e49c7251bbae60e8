/* SPDX-License-Identifier: BSD-2-Clause */
/* Parses the hypervisor's command line into struct options, by the rows. Boot time, pure. */
#include "boot/option/option.h"

#include "boot/option/option_internal.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

/* Cause (options): a value or combination that is not allowed.
 * Remedy: docs/options.md. */

/* Longest valid name or value; longer words are refused before anything copies them. */
#define WORD_MAX 1023u

/* A misspelt option is at most this far from its name. */
#define TYPO_MAX 2u

/* What the user may have meant by the word @w, whose name is @name: a feature without its cpu=, or
 * the closest option. */
static err_t unknown_option(struct parse *p, struct word w, struct word name)
{
	const char *near = option_rows[0].name;
	u32 best = ~0u;
	bool more;
	struct word first = word_cut(&name, ',', &more);

	for (u32 i = 0; i < option_row_count; i++)
		word_closer(first, option_rows[i].name, &best, &near);
	/* Cause (options): a misspelt option, or the guest's words after `multiboot2`.
	 * Remedy: `help` lists all; the guest's words belong after `module2`. */
	if (best > TYPO_MAX && option_cpu_knows(first))
		fmt_print(p->msg, p->msg_len,
			  "unknown option \"%.*s\", did you mean \"cpu=host,%.*s\"? (help=cpu)",
			  (int)first.len, first.s, (int)w.len, w.s);
	else
		fmt_print(p->msg, p->msg_len,
			  "unknown option \"%.*s\", did you mean \"%s\"? (help lists all)",
			  (int)first.len, first.s, near);
	return ERR_NOENT;
}

/* The word in "a|b|c" nearest to @w; *index if it is equal. */
static struct word closest_value(const char *values, struct word w, u32 *index, bool *equal)
{
	struct word rest = { values, strlen(values) };
	struct word name = { values, 0 };
	u32 best = ~0u;
	bool more = true;

	*equal = false;
	for (u32 i = 0; more; i++) {
		struct word v = word_cut(&rest, '|', &more);
		u32 d = word_distance(w, v);

		if (i == 0 || d < best) {
			best = d;
			name = v;
			*index = i;
		}
	}
	*equal = best == 0;
	return name;
}

bool word_bool(struct word w, u32 *val)
{
	static const char *const yes[] = { "1", "y", "Y", "on", "yes", "true" };
	static const char *const no[] = { "0", "n", "N", "off", "no", "false" };

	for (u32 i = 0; i < ARRAY_SIZE(yes); i++) {
		if (word_is(w, yes[i])) {
			*val = 1;
			return true;
		}
		if (word_is(w, no[i])) {
			*val = 0;
			return true;
		}
	}
	return false;
}

bool word_number(struct word w, u64 *val)
{
	u32 base = 10;
	u64 v = 0;

	if (w.len > 2 && w.s[0] == '0' && (w.s[1] == 'x' || w.s[1] == 'X')) {
		base = 16;
		w.s += 2;
		w.len -= 2;
	}
	for (size_t i = 0; i < w.len; i++) {
		char c = w.s[i];
		u32 digit;

		if (c >= '0' && c <= '9')
			digit = (u32)(c - '0');
		else if (base == 16 && (c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			digit = (u32)((c | 0x20) - 'a') + 10;
		else
			return false;
		if (v > (~0ull - digit) / base)
			return false;
		v = v * base + digit;
	}
	*val = v;
	return w.len > 0;
}

/* The field of @row: a bool is its byte, anything else a u32. */
static u32 field_get(const struct options *o, const struct option_row *row)
{
	u32 val = 0;

	memcpy(&val, (const u8 *)o + row->offset, row->size);
	return val;
}

static void field_set(struct options *o, const struct option_row *row, u32 val)
{
	memcpy((u8 *)o + row->offset, &val, row->size);
}

static err_t bool_set(struct parse *p, const struct option_row *row, struct word val)
{
	u32 v;

	if (!word_bool(val, &v)) {
		fmt_print(p->msg, p->msg_len, "option %s=%.*s: write on or off (or 1, 0, Y, N)",
			  row->name, (int)val.len, val.s);
		return ERR_INVAL;
	}
	field_set(p->o, row, v);
	return ERR_NONE;
}

static bool may_adapt(const struct option_row *row)
{
	struct word unit = { row->values, strlen(row->values) };
	bool has_bar;

	word_cut(&unit, '|', &has_bar);
	return has_bar; /* "NS|-1" */
}

static err_t uint_set(struct parse *p, const struct option_row *row, struct word val)
{
	u64 v;

	if (may_adapt(row) && word_is(val, "-1")) {
		v = CONFIG_ADAPTS;
	} else if (!word_number(val, &v) || v < row->min || v > row->max) {
		fmt_print(p->msg, p->msg_len, "option %s=%.*s: give a number from %u to %u%s",
			  row->name, (int)val.len, val.s, row->min, row->max,
			  may_adapt(row) ? " or -1" : "");
		return ERR_RANGE;
	}
	field_set(p->o, row, (u32)v);
	return ERR_NONE;
}

static err_t value_find(struct parse *p, const struct option_row *row, struct word val, u32 *index)
{
	bool equal;
	struct word near = closest_value(row->values, val, index, &equal);

	if (equal)
		return ERR_NONE;
	fmt_print(p->msg, p->msg_len, "option %s=%.*s: did you mean %s=%.*s? (%s)", row->name,
		  (int)val.len, val.s, row->name, (int)near.len, near.s, row->values);
	return ERR_INVAL;
}

/* Stored as the index of the value. */
static err_t enum_set(struct parse *p, const struct option_row *row, struct word val)
{
	u32 index = 0;

	TRY(value_find(p, row, val, &index));
	field_set(p->o, row, index);
	return ERR_NONE;
}

static err_t set_set(struct parse *p, const struct option_row *row, struct word val)
{
	u32 set = 0;
	bool more = true;

	while (more) {
		u32 index = 0;

		TRY(value_find(p, row, word_cut(&val, ',', &more), &index));
		set |= BIT32(index);
	}
	field_set(p->o, row, set);
	return ERR_NONE;
}

static err_t help_set(struct parse *p, const struct option_row *row, struct word val)
{
	u32 v;

	if (word_bool(val, &v))
		v = v != 0 ? HELP_ON : HELP_OFF;
	else
		TRY(option_help_find(p, val, &v));
	field_set(p->o, row, v);
	return ERR_NONE;
}

static err_t row_set(struct parse *p, const struct option_row *row, struct word val)
{
	switch (row->type) {
	case OPTION_BOOL:
		return bool_set(p, row, val);
	case OPTION_UINT:
		return uint_set(p, row, val);
	case OPTION_ENUM:
		return enum_set(p, row, val);
	case OPTION_SET:
		return set_set(p, row, val);
	case OPTION_HELP:
		return help_set(p, row, val);
	case OPTION_CPU:
		return option_cpu_set(p, val);
	case OPTION_PORTS:
		return option_ports_set(p, row, val);
	}
	return ERR_INVAL;
}

/* The bare name means "on", for an option whose default is "off". */
static bool has_on(const struct option_row *row)
{
	return row->type == OPTION_BOOL ||
	       (strcmp(row->dflt, "off") == 0 && row->type != OPTION_CPU);
}

static err_t option_set(struct parse *p, struct word w)
{
	struct word val = w;
	bool has_val;
	struct word name = word_cut(&val, '=', &has_val);

	if (w.len > WORD_MAX) {
		fmt_print(p->msg, p->msg_len,
			  "option %.20s...: a word of %zu characters, the "
			  "longest possible has %u; put blanks between options",
			  w.s, w.len, WORD_MAX);
		return ERR_RANGE;
	}
	for (u32 i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];

		if (!word_is(name, row->name))
			continue;
		p->o->given |= BIT64(i);
		if (has_val)
			return row_set(p, row, val);
		if (has_on(row))
			return row_set(p, row, (struct word){ "on", 2 });
		fmt_print(p->msg, p->msg_len, "option %s needs a value: %s=%s", row->name,
			  row->name, row->values);
		return ERR_INVAL;
	}
	return unknown_option(p, w, name);
}

void options_default(struct options *o)
{
	struct parse p = { .o = o };

	memset(o, 0, sizeof(*o));
	option_settings_default(&o->config);
	for (u32 i = 0; i < option_row_count; i++) {
		const struct option_row *row = &option_rows[i];
		struct word dflt = { row->dflt, strlen(row->dflt) };
		/* A host test checks that every default is valid. */
		err_t err UNUSED = row_set(&p, row, dflt);
	}
	/* Cannot fail: a host test checks that the defaults fit together. */
	err_t err UNUSED = option_cpu_resolve(&p);
}

/* NULL: there is none. */
static const struct option_row *option_find(const char *name)
{
	for (u32 i = 0; i < option_row_count; i++) {
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	}
	return NULL;
}

static bool is_given(const struct options *o, const struct option_row *row)
{
	return (o->given & BIT64(row - option_rows)) != 0;
}

static bool is_default(const struct options *o, const struct option_row *row)
{
	struct options dflt;

	options_default(&dflt);
	return field_get(o, row) == field_get(&dflt, row);
}

/* Does the option have this value? */
static bool has_value(const struct options *o, const char *name, const char *value)
{
	char text[32];

	option_value(o, (u32)(option_find(name) - option_rows), text, sizeof(text));
	return strcmp(text, value) == 0;
}

/* Dependencies between options: checked after the last word, as the order of words is free. */
static err_t rules_check(struct parse *p)
{
	for (u32 i = 0; i < option_rule_count; i++) {
		const struct option_rule *rule = &option_rules[i];
		const struct option_row *row = option_find(rule->option);

		if (!is_given(p->o, row) || !has_value(p->o, rule->name, rule->value) ||
		    (rule->but_default && is_default(p->o, row)))
			continue;
		/* Cause (options): a value or combination that is not allowed.
		 * Remedy: docs/options.md. */
		fmt_print(p->msg, p->msg_len, "option %s=%s excludes %s: %s; remove one of them",
			  rule->name, rule->value, rule->option, rule->why);
		return ERR_INVAL;
	}
	return ERR_NONE;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

err_t options_parse(struct options *o, const char *cmdline, char *msg, size_t msg_len)
{
	struct parse p = { .o = o, .msg = msg, .msg_len = msg_len };
	const char *s = cmdline;

	for (; *s != '\0'; s++) {
		if (!is_blank(*s) && ((u8)*s < 0x20 || (u8)*s >= 0x7f)) {
			/* Cause (options): not printable ASCII.
			 * Remedy: type it again: often a copied quotation mark or dash. */
			fmt_print(msg, msg_len,
				  "command line: character 0x%02x at position %zu is not allowed",
				  (u8)*s, (size_t)(s - cmdline));
			return ERR_INVAL;
		}
	}
	for (s = cmdline; *s != '\0';) {
		struct word w = { .s = s };

		while (s[w.len] != '\0' && !is_blank(s[w.len]))
			w.len++;
		if (w.len > 0)
			TRY(option_set(&p, w));
		s += w.len + (s[w.len] != '\0');
	}
	TRY(rules_check(&p));
	TRY(option_cpu_resolve(&p));
	TRY(option_ports_check(&p));
	return option_syndbg_check(&p);
}

/* The names of the values in @set. */
static void set_value(const struct option_row *row, u64 set, char *text, size_t len)
{
	struct word rest = { row->values, strlen(row->values) };
	size_t n = 0;
	bool more = true;

	text[0] = '\0';
	for (u32 i = 0; more && n < len; i++) {
		struct word w = word_cut(&rest, '|', &more);

		if (set & BIT64(i))
			n += fmt_print(text + n, len - n, "%s%.*s", n != 0 ? "," : "", (int)w.len,
				       w.s);
	}
}

void option_value(const struct options *o, u32 i, char *text, size_t len)
{
	const struct option_row *row = &option_rows[i];
	u32 val = row->type != OPTION_CPU ? field_get(o, row) : 0;

	switch (row->type) {
	case OPTION_BOOL:
		fmt_print(text, len, "%s", val != 0 ? "on" : "off");
		break;
	case OPTION_UINT:
		if (may_adapt(row) && val == CONFIG_ADAPTS)
			fmt_print(text, len, "-1");
		else
			fmt_print(text, len, "%u", val);
		break;
	case OPTION_ENUM:
		set_value(row, BIT64(val), text, len);
		break;
	case OPTION_SET:
		set_value(row, val, text, len);
		break;
	case OPTION_HELP:
		option_help_value(val, text, len);
		break;
	case OPTION_CPU:
		option_cpu_value(o, text, len);
		break;
	case OPTION_PORTS:
		option_ports_value(o, row, text, len);
	}
}
