/* SPDX-License-Identifier: BSD-2-Clause */
/* profile= and cpu=, in QEMU's words: which features the guest gets. Boot time, pure. */
#include "boot/option/option_internal.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "hv/kvm/kvm.h"

/* Cause (options): `cpu=` or `profile=` asks for what Kensho cannot provide.
 * Remedy: docs/profiles.md. */

#define FIRST_PROFILE_TO_COME PROFILE_NESTED

/* Profiles are sets of whole ABIs. */
static const struct profile {
	const struct hv_abi *abi[2];
	bool is_test; /* has the features that only test profiles have */
} profiles[FIRST_PROFILE_TO_COME] = {
	[PROFILE_KVM] = { { &kvm_abi } },
	[PROFILE_KVM_TEST] = { { &kvm_abi }, true },
	[PROFILE_HV] = { { &hyperv_abi } },
	[PROFILE_HV_TEST] = { { &hyperv_abi }, true },
	[PROFILE_BOTH] = { { &kvm_abi, &hyperv_abi }, true },
};

static bool has_abi(const struct profile *p, const struct hv_abi *abi)
{
	return p->abi[0] != NULL && (abi == NULL || p->abi[0] == abi || p->abi[1] == abi);
}

u64 option_cpu_profile(u32 profile)
{
	u64 features = 0;

	for (u32 i = 0; i < FEATURE_COUNT && profile < FIRST_PROFILE_TO_COME; i++) {
		const struct hv_feature *f = hv_features[i];
		const struct profile *p = &profiles[profile];

		if (has_abi(p, f->abi) &&
		    f->profiles <= (p->is_test ? IN_TEST_PROFILES : IN_ALL_PROFILES))
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

static const char *closest_name(struct word w)
{
	const char *name = hv_features[0]->name;
	u32 best = ~0u;

	for (u32 i = 0; i < FEATURE_COUNT; i++)
		word_closer(w, hv_features[i]->name, &best, &name);
	for (u32 i = 0; i < cpu_setting_count; i++)
		word_closer(w, cpu_settings[i].name, &best, &name);
	return name;
}

/* FEATURE_COUNT: none. */
static u32 feature_named(struct word w)
{
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		const struct hv_feature *f = hv_features[i];

		if (option_cpu_is_named(w, f->name) ||
		    (f->alias != NULL && option_cpu_is_named(w, f->alias)))
			return i;
	}
	return FEATURE_COUNT;
}

/* The ABI that has @w for all its features; NULL: none. */
static const struct hv_abi *everything_named(struct word w)
{
	for (const struct hv_abi *const *a = hv_abis; *a != NULL; a++) {
		if ((*a)->everything != NULL && option_cpu_is_named(w, (*a)->everything))
			return *a;
	}
	return NULL;
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
	return feature_named(w) != FEATURE_COUNT || everything_named(w) != NULL ||
	       option_setting_find(w) != NULL || fixed_row(w) != NULL;
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

static void features_set(struct parse *p, u64 features, u32 on)
{
	u64 *to = on ? &p->o->cpu_on : &p->o->cpu_off;
	u64 *from = on ? &p->o->cpu_off : &p->o->cpu_on;

	*to |= features;
	*from &= ~features;
}

/* Those of @abi that are in @most, or in more profiles. */
static u64 features_of(const struct hv_abi *abi, enum hv_profiles most)
{
	u64 features = 0;

	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (hv_features[i]->abi == abi && hv_features[i]->profiles <= most)
			features |= BIT64(i);
	}
	return features;
}

/* "name", "name=value", "+name", "-name" in parts. */
struct cpu_word {
	struct word whole, name, val;
	bool has_val; /* "=value" */
	bool is_bool; /* what the name stands for is to be @on */
	u32 on;
};

static struct cpu_word cpu_word_of(struct word w)
{
	struct cpu_word c = { .whole = w, .val = w, .is_bool = true, .on = 1 };
	bool has_sign = w.s[0] == '+' || w.s[0] == '-';

	if (has_sign) {
		c.on = w.s[0] == '+';
		c.val.s++;
		c.val.len--;
	}
	c.name = word_cut(&c.val, '=', &c.has_val);
	if (c.has_val)
		c.is_bool = !has_sign && word_bool(c.val, &c.on);
	return c;
}

/* A value, which also switches the feature of that name. False: not a setting, or it is just
 * switched. */
static bool is_setting(const struct cpu_word *c, const struct cpu_setting *s, u32 feature)
{
	return s != NULL && (feature == FEATURE_COUNT || !c->is_bool || word_is(c->val, "0") ||
			     word_is(c->val, "1"));
}

static err_t setting_set(struct parse *p, const struct cpu_word *c, const struct cpu_setting *s,
			 u32 feature)
{
	if (!c->has_val || c->name.s != c->whole.s) {
		fmt_print(p->msg, p->msg_len, "option cpu: %.*s: write %s=VALUE (help=%s)",
			  (int)c->whole.len, c->whole.s, s->name, s->name);
		return ERR_INVAL;
	}
	TRY(option_setting_set(p, s, c->val));
	if (feature != FEATURE_COUNT)
		features_set(p, BIT64(feature), !option_setting_is_off(&p->o->config, s));
	return ERR_NONE;
}

static err_t switch_set(struct parse *p, struct cpu_word *c, u64 features, bool has_auto)
{
	if (has_auto && c->name.s == c->whole.s && word_is(c->val, "auto")) {
		c->is_bool = true;
		c->on = 1;
	}
	if (!c->is_bool) {
		fmt_print(p->msg, p->msg_len, "option cpu: %.*s: write %.*s=on or %.*s=off",
			  (int)c->whole.len, c->whole.s, (int)c->name.len, c->name.s,
			  (int)c->name.len, c->name.s);
		return ERR_INVAL;
	}
	features_set(p, features, c->on);
	return ERR_NONE;
}

static err_t name_set(struct parse *p, struct word w)
{
	struct cpu_word c = cpu_word_of(w);
	const struct cpu_fixed_row *row = fixed_row(c.name);
	const struct cpu_setting *setting = option_setting_find(c.name);
	const struct hv_abi *abi = everything_named(c.name);
	u32 feature = feature_named(c.name);

	if (is_setting(&c, setting, feature))
		return setting_set(p, &c, setting, feature);
	if (feature != FEATURE_COUNT)
		return switch_set(p, &c, BIT64(feature), hv_features[feature]->has_auto);
	if (abi != NULL)
		return switch_set(p, &c, features_of(abi, c.on ? IN_NO_PROFILE : ONLY_BY_NAME),
				  false);
	if (row != NULL)
		return fixed_set(p, row, w, c.is_bool, c.on);
	fmt_print(p->msg, p->msg_len, "option cpu: unknown feature \"%.*s\", did you mean \"%s\"?",
		  (int)c.name.len, c.name.s, closest_name(c.name));
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
	option_settings_default(&p->o->config);
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

/* @features, and the interfaces that they imply. */
static u64 with_implied(u64 features)
{
	for (const struct hv_abi *const *a = hv_abis; *a != NULL; a++) {
		if ((*a)->whole_is_implied && (features & features_of(*a, ONLY_BY_NAME)))
			features |= BIT64((*a)->whole);
	}
	return features;
}

/* In QEMU's words where it has them. */
static err_t refuse_lacking(struct parse *p, u32 feature)
{
	const char *name = hv_features[feature]->name;
	const char *need = lacks(p->o, feature, p->o->config.cpu_features);
	bool is_hyperv = hv_features[feature]->abi == &hyperv_abi;

	fmt_print(p->msg, p->msg_len,
		  is_hyperv ? "option cpu: Hyper-V %s requires Hyper-V %s: add that or remove %s"
			    : "option cpu: %s needs %s: add that or remove %s",
		  name, need, name);
	return ERR_NODEV;
}

err_t option_cpu_resolve(struct parse *p)
{
	struct options *o = p->o;
	u64 wanted, lost;

	if (o->profile >= FIRST_PROFILE_TO_COME) {
		fmt_print(p->msg, p->msg_len,
			  "option profile: that profile is not in this version; write profile=both "
			  "for the two interfaces without nesting");
		return ERR_NODEV;
	}
	wanted = with_implied(option_cpu_profile(o->profile) | o->cpu_on) & ~o->cpu_off;
	o->config.cpu_features = drop_lacking(o, wanted);
	lost = wanted & ~o->config.cpu_features;
	for (u32 i = 0; i < FEATURE_COUNT; i++) {
		if (lost & o->cpu_on & BIT64(i))
			return refuse_lacking(p, i);
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
	for (u32 i = 0; i < cpu_setting_count && n < len; i++)
		n += option_setting_value(&o->config, &cpu_settings[i], text + n, len - n);
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
