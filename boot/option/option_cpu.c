/* SPDX-License-Identifier: BSD-2-Clause */
/* profile= and cpu=, in QEMU's words: which features the guest gets. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

/* Cause (options): `cpu=` or `profile=` asks for what Kensho cannot give.
 * Remedy: docs/profiles.md has all features. */

#define FIRST_PROFILE_TO_COME PROFILE_HV

/* QEMU takes '-' and '_' for the same in names. @name is written with '-'. */
static bool same_name(struct word w, const char *name, size_t len)
{
	if (w.len != len)
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((w.s[i] == '_' ? '-' : w.s[i]) != name[i])
			return false;
	}
	return true;
}

static bool is_named(struct word w, const char *name)
{
	return same_name(w, name, strlen(name));
}

/* Is @w one of @names, which are separated by blanks? */
static bool is_listed(struct word w, const char *names)
{
	struct word rest = { names, strlen(names) };
	bool more = true;

	while (more) {
		struct word name = word_cut(&rest, ' ', &more);
		struct word head = w;

		if (name.len > 0 && name.s[name.len - 1] == '*') {
			name.len--;
			head.len = head.len < name.len ? head.len : name.len;
		}
		if (same_name(head, name.s, name.len))
			return true;
	}
	return false;
}

static const char *closest_feature(struct word w)
{
	const char *name = cpu_feature_rows[0].name;
	u32 best = ~0u;

	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++)
		word_closer(w, cpu_feature_rows[i].name, &best, &name);
	return name;
}

static const struct cpu_fixed_row *fixed_row(struct word name)
{
	for (u32 i = 0; i < cpu_fixed_row_count; i++) {
		if (is_listed(name, cpu_fixed_rows[i].names))
			return &cpu_fixed_rows[i];
	}
	return NULL;
}

/* The value that a name has anyway may be written. */
static err_t fixed_set(struct parse *p, const struct cpu_fixed_row *row, struct word w,
		       bool is_bool, u32 on)
{
	if (is_bool && row->is == (on ? CPU_FIXED_ON : CPU_FIXED_OFF))
		return ERR_NONE;
	fmt_print(p->msg, p->msg_len, "option cpu: %.*s: %s; remove it", (int)w.len, w.s, row->why);
	return ERR_NODEV;
}

static err_t feature_set(struct parse *p, u32 feature, u32 on)
{
	u64 *to = on ? &p->o->cpu_on : &p->o->cpu_off;
	u64 *from = on ? &p->o->cpu_off : &p->o->cpu_on;

	*to |= BIT64(feature);
	*from &= ~BIT64(feature);
	return ERR_NONE;
}

/* "name", "name=on", "+name", "-name" */
static err_t name_set(struct parse *p, struct word w)
{
	struct word name, val = w;
	bool has_val, is_bool = true;
	u32 on = 1;
	const struct cpu_fixed_row *row;

	if (w.s[0] == '+' || w.s[0] == '-') {
		on = w.s[0] == '+';
		val.s++;
		val.len--;
	}
	name = word_cut(&val, '=', &has_val);
	if (has_val)
		is_bool = name.s == w.s && word_bool(val, &on);
	row = fixed_row(name);
	if (row)
		return fixed_set(p, row, w, is_bool, on);
	if (!is_bool) {
		fmt_print(p->msg, p->msg_len, "option cpu: %.*s: write %.*s=on or %.*s=off",
			  (int)w.len, w.s, (int)name.len, name.s, (int)name.len, name.s);
		return ERR_INVAL;
	}
	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		if (is_named(name, cpu_feature_rows[i].name))
			return feature_set(p, i, on);
	}
	fmt_print(p->msg, p->msg_len, "option cpu: unknown feature \"%.*s\", did you mean \"%s\"?",
		  (int)name.len, name.s, closest_feature(name));
	return ERR_NOENT;
}

err_t option_cpu_set(struct parse *p, struct word val)
{
	bool more;
	struct word model = word_cut(&val, ',', &more);

	if (!word_is(model, "host")) {
		fmt_print(p->msg, p->msg_len,
			  "option cpu=%.*s: the only model is \"host\", write cpu=host,...",
			  (int)model.len, model.s);
		return ERR_INVAL;
	}
	p->o->cpu_on = 0;
	p->o->cpu_off = 0;
	while (more) {
		struct word name = word_cut(&val, ',', &more);

		if (name.len > 0)
			TRY(name_set(p, name));
	}
	return ERR_NONE;
}

/* What @feature lacks while @features are on, as the user writes it; NULL: nothing. */
static const char *lacks(const struct options *o, u32 feature, u64 features)
{
	const struct cpu_feature_row *row = &cpu_feature_rows[feature];

	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		if (row->needs & BIT64(i) & ~features)
			return cpu_feature_rows[i].name;
	}
	return row->needs_hlt_exit && o->config.hlt != HLT_EXIT ? "hlt=exit" : NULL;
}

/* @features without those that lack something. One pass: they need features before them only. */
static u64 drop_lacking(const struct options *o, u64 features)
{
	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		if ((features & BIT64(i)) && lacks(o, i, features))
			features &= ~BIT64(i);
	}
	return features;
}

err_t option_cpu_resolve(struct parse *p)
{
	struct options *o = p->o;
	u64 wanted, lost;

	if (o->profile >= FIRST_PROFILE_TO_COME) {
		fmt_print(p->msg, p->msg_len,
			  "option profile: that profile is not in this version; write profile=kvm, "
			  "profile=kvm-test or profile=bare");
		return ERR_NODEV;
	}
	wanted = (cpu_profiles[o->profile] | o->cpu_on) & ~o->cpu_off;
	o->config.cpu_features = drop_lacking(o, wanted);
	lost = wanted & ~o->config.cpu_features;
	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		if (lost & o->cpu_on & BIT64(i)) {
			const char *name = cpu_feature_rows[i].name;

			fmt_print(p->msg, p->msg_len,
				  "option cpu: %s needs %s: add that or remove %s", name,
				  lacks(o, i, o->config.cpu_features), name);
			return ERR_NODEV;
		}
	}
	/* Without the interface as a whole nobody misses its parts. */
	o->cpu_dropped = (wanted & BIT64(CPU_KVM)) ? lost : 0;
	return ERR_NONE;
}

bool options_dropped(const struct options *o, char *text, size_t len)
{
	size_t n = 0;

	text[0] = '\0';
	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		if (!(o->cpu_dropped & BIT64(i)) || n >= len)
			continue;
		n += fmt_print(text + n, len - n, "%s%s (needs %s)", n > 0 ? ", " : "",
			       cpu_feature_rows[i].name, lacks(o, i, o->config.cpu_features));
	}
	return n > 0;
}

void option_cpu_value(const struct options *o, char *text, size_t len)
{
	size_t n = fmt_print(text, len, "host");

	for (u32 i = 0; i < CPU_FEATURE_COUNT && n < len; i++) {
		if ((o->cpu_on | o->cpu_off) & BIT64(i))
			n += fmt_print(text + n, len - n, ",%s=%s", cpu_feature_rows[i].name,
				       (o->cpu_on & BIT64(i)) ? "on" : "off");
	}
}

void options_features(const struct options *o, char *text, size_t len)
{
	size_t n = 0;

	text[0] = '\0';
	for (u32 i = 0; i < CPU_FEATURE_COUNT && n < len; i++) {
		if (o->config.cpu_features & BIT64(i))
			n += fmt_print(text + n, len - n, "%s%s", n > 0 ? " " : "",
				       cpu_feature_rows[i].name);
	}
}

void option_cpu_print(void (*line)(const char *text))
{
	for (u32 i = 0; i < CPU_FEATURE_COUNT; i++) {
		const struct cpu_feature_row *row = &cpu_feature_rows[i];
		bool dflt = (cpu_profiles[PROFILE_KVM] & BIT64(i)) != 0;
		char name[64], help[128];

		fmt_print(name, sizeof(name), "cpu=host,%s=%s [%s]", row->name, "on|off",
			  dflt ? "on" : "off");
		fmt_print(help, sizeof(help), "%s%s", row->help,
			  row->needs_hlt_exit ? "; needs hlt=exit" : "");
		option_print_row(name, help, line);
	}
}
