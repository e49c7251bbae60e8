/* SPDX-License-Identifier: BSD-2-Clause */
/* profile= and cpu=, in QEMU's words: which features the guest gets. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"

/* Cause (options): `cpu=` or `profile=` asks for what Kensho cannot provide.
 * Remedy: docs/profiles.md. */

#define FIRST_PROFILE_TO_COME PROFILE_HV

/* Profiles are sets of whole ABIs. */
static const struct hv_abi *const profile_abi[FIRST_PROFILE_TO_COME] = {
	[PROFILE_KVM] = &kvm_abi,
	[PROFILE_KVM_TEST] = &kvm_abi,
};

/* As QEMU's cpu=host: all that is not off by default, and features that belong to no ABI. */
u64 option_cpu_profile(u32 profile)
{
	const struct hv_abi *abi = profile < FIRST_PROFILE_TO_COME ? profile_abi[profile] : NULL;
	u64 features = 0;

	for (u32 i = 0; i < FEATURE_COUNT && abi != NULL; i++) {
		const struct hv_feature *f = hv_features[i];

		if (!f->off_by_default && (f->abi == NULL || f->abi == abi))
			features |= BIT64(i);
	}
	return features;
}

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

bool option_cpu_is_named(struct word w, const char *name)
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
	const char *name = hv_features[0]->name;
	u32 best = ~0u;

	for (u32 i = 0; i < FEATURE_COUNT; i++)
		word_closer(w, hv_features[i]->name, &best, &name);
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

bool option_cpu_knows(struct word w)
{
	if (w.len > 0 && (w.s[0] == '+' || w.s[0] == '-')) {
		w.s++;
		w.len--;
	}
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (option_cpu_is_named(w, hv_features[i]->name))
			return true;
	}
	return fixed_row(w) != NULL;
}

/* A name with only one right value may be given that value. */
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
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (option_cpu_is_named(name, hv_features[i]->name))
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

/* What @feature lacks while @features are on, by the user's name for it; NULL: nothing. */
static const char *lacks(const struct options *o, u32 feature, u64 features)
{
	u64 missing = hv_feature_needs(feature) & ~features;

	if (missing != 0)
		return hv_features[__builtin_ctzll(missing)]->name;
	return hv_features[feature]->needs_hlt_exit && o->config.hlt != HLT_EXIT ? "hlt=exit"
										 : NULL;
}

/* @features without those that lack something. One pass: a feature only needs earlier ones. */
static u64 drop_lacking(const struct options *o, u64 features)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if ((features & BIT64(i)) && lacks(o, i, features))
			features &= ~BIT64(i);
	}
	return features;
}

/* Parts of an interface, if the interface as a whole is wanted: without it, they are not missed. */
static u64 parts_of(u64 wanted)
{
	u64 parts = 0;

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_abi *abi = hv_features[i]->abi;

		if (abi == NULL || (wanted & BIT64(abi->whole)))
			parts |= BIT64(i);
	}
	return parts;
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
	wanted = (option_cpu_profile(o->profile) | o->cpu_on) & ~o->cpu_off;
	o->config.cpu_features = drop_lacking(o, wanted);
	lost = wanted & ~o->config.cpu_features;
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (lost & o->cpu_on & BIT64(i)) {
			const char *name = hv_features[i]->name;

			fmt_print(p->msg, p->msg_len,
				  "option cpu: %s needs %s: add that or remove %s", name,
				  lacks(o, i, o->config.cpu_features), name);
			return ERR_NODEV;
		}
	}
	o->cpu_dropped = lost & parts_of(wanted);
	return ERR_NONE;
}

bool options_dropped(const struct options *o, char *text, size_t len)
{
	size_t n = 0;

	text[0] = '\0';
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (!(o->cpu_dropped & BIT64(i)) || n >= len)
			continue;
		n += fmt_print(text + n, len - n, "%s%s (needs %s)", n > 0 ? ", " : "",
			       hv_features[i]->name, lacks(o, i, o->config.cpu_features));
	}
	return n > 0;
}

void option_cpu_value(const struct options *o, char *text, size_t len)
{
	size_t n = fmt_print(text, len, "host");

	for (u32 i = 0; i < FEATURE_COUNT && n < len; i++) {
		if ((o->cpu_on | o->cpu_off) & BIT64(i))
			n += fmt_print(text + n, len - n, ",%s=%s", hv_features[i]->name,
				       (o->cpu_on & BIT64(i)) ? "on" : "off");
	}
}

void options_features(const struct options *o, char *text, size_t len)
{
	size_t n = 0;

	text[0] = '\0';
	for (u32 i = 0; i < FEATURE_COUNT && n < len; i++) {
		if (o->config.cpu_features & BIT64(i))
			n += fmt_print(text + n, len - n, "%s%s", n > 0 ? " " : "",
				       hv_features[i]->name);
	}
}
