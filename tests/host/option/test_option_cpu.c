/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * profile= and cpu=: boot/option/option_cpu.c.
 */
#include "tests/host/option/cpu.h"

static void test_profiles(void)
{
	const struct {
		const char *words;
		u64 want;
	} rows[] = {
		{ "", by_default() },
		{ "cpu=host", by_default() },
		{ "profile=kvm", by_default() },
		{ "profile=kvm-test", by_default() },
		{ "profile=bare", 0 },
		{ "profile=kvm profile=bare", 0 },
		{ "profile=bare profile=kvm", by_default() },
		{ "profile=bare cpu=host", 0 },
		{ "profile=bare cpu=host,+hypervisor", BIT64(FEATURE_HYPERVISOR) },
		{ "cpu=host,+kvm,kvmclock=on profile=bare",
		  BIT64(FEATURE_KVM) | BIT64(FEATURE_KVMCLOCK) },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		EXPECT_EQ(ERR_NONE, parse(rows[i].words));
		EXPECT_EQ(rows[i].want, o.config.cpu_features);
	}
}

static void test_profiles_to_come(void)
{
	EXPECT_NE(ERR_NONE, parse("profile=nested"));
	EXPECT_CONTAINS(msg, "not in this version");
	EXPECT_CONTAINS(msg, "profile=both");
	EXPECT_EQ(ERR_INVAL, parse("profile=kvm_test"));
	EXPECT_CONTAINS(msg, "profile=kvm-test?");
	EXPECT_NE(ERR_NONE, parse("profile"));
}

/* kvm-test is for what Linux does without MWAIT. */
static void test_kvm_test_excludes_mwait(void)
{
	EXPECT_EQ(ERR_NONE, parse("profile=kvm-test mwait=hide"));
	EXPECT_EQ(ERR_NONE, parse("profile=kvm mwait=c1"));
	EXPECT_EQ(ERR_INVAL, parse("mwait=c1 profile=kvm-test"));
	EXPECT_CONTAINS(msg, "profile=kvm-test excludes mwait");
}

/* cpu= changes the profile, wherever that stands; the last cpu= is the only one. */
static void test_cpu_on_top_of_profile(void)
{
	EXPECT_EQ(ERR_NONE, parse("cpu=host,-kvm-pv-eoi profile=kvm-test"));
	EXPECT_EQ(by_default() & ~BIT64(FEATURE_KVM_PV_EOI), o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("profile=kvm-test cpu=host,-kvm-pv-eoi"));
	EXPECT_EQ(by_default() & ~BIT64(FEATURE_KVM_PV_EOI), o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("cpu=host,-kvm,-hypervisor cpu=host,-kvm-pv-ipi"));
	EXPECT_EQ(by_default() & ~BIT64(FEATURE_KVM_PV_IPI), o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("cpu=host,-kvm-pv-ipi,+kvm-pv-ipi,kvm-pv-ipi=off,kvm-pv-ipi"));
	EXPECT_EQ(by_default(), o.config.cpu_features);
}

/* ",NAME" of each feature that @f needs, directly or not. */
static void put_needs(u32 f, char *text, size_t size)
{
	u64 needs = hv_feature_needs(f);
	size_t at = 0;

	for (u32 k = f; k-- > 0;) {
		if (needs & BIT64(k))
			needs |= hv_feature_needs(k);
	}
	text[0] = '\0';
	for (u32 k = 0; k < f; k++) {
		if (needs & BIT64(k))
			at += (size_t)snprintf(text + at, size - at, ",%s", name_of(k));
	}
}

/* Every feature, in every form, with '-' and '_' in any mixture. */
static void test_every_name_in_every_form(void)
{
	static const struct {
		const char *before, *after;
		bool on;
	} forms[] = {
		{ "", "", true },      { "+", "", true },   { "", "=on", true },
		{ "", "=1", true },    { "", "=Y", true },  { "-", "", false },
		{ "", "=off", false }, { "", "=0", false }, { "", "=N", false },
	};

	for (u32 f = 0; f < FEATURE_COUNT; f++) {
		for (u32 i = 0; i < ARRAY_SIZE(forms); i++) {
			char name[40], needs[200], line[400];

			if (f == FEATURE_HV_SPINLOCKS && strpbrk(forms[i].after, "01") != NULL)
				continue; /* a number of tries */
			snprintf(name, sizeof(name), "%s", name_of(f));
			for (char *c = name; *c != '\0'; c++) {
				if (*c == '-' && test_rng() % 2)
					*c = '_';
			}
			put_needs(f, needs, sizeof(needs));
			snprintf(line, sizeof(line), "cpu=host%s,%s%s,%s%s%s%s", needs,
				 forms[i].on ? "-" : "", name_of(f), forms[i].before, name,
				 forms[i].after,
				 f == FEATURE_HV_SYNDBG && forms[i].on ? " syndbg=com1" : "");
			EXPECT_EQ(ERR_NONE, parse(line));
			EXPECT_EQ(forms[i].on, has((enum hv_feature_id)f));
		}
	}
}

static void test_malformed(void)
{
	EXPECT_EQ(ERR_NONE, parse("cpu=host,,-kvm,,+kvm,hypervisor,"));
	EXPECT_EQ(by_default(), o.config.cpu_features);
	EXPECT_EQ(ERR_INVAL, parse("cpu=qemu64"));
	EXPECT_CONTAINS(msg, "cpu=host");
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,kvm=maybe"));
	EXPECT_CONTAINS(msg, "kvm=on");
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,-kvm=on"));
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,+kvm=on"));
	EXPECT_NE(ERR_NONE, parse("cpu=host,-"));
	EXPECT_NE(ERR_NONE, parse("cpu=host,="));
	EXPECT_NE(ERR_NONE, parse("cpu="));
	EXPECT_NE(ERR_NONE, parse("cpu"));
}

static bool is_as_near_to_another(const char *word)
{
	static const char *const words[] = { "kv", "km", "hv-timer", "hv-stime" };

	for (u32 i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

/* One wrong, missing or extra letter still leads to the name. */
static void test_a_typo_is_answered_with_the_name(void)
{
	for (u32 f = 0; f < FEATURE_COUNT; f++) {
		size_t len = strlen(name_of(f));

		for (size_t k = 0; k < len * 3; k++) {
			const char *tail = name_of(f) + k / 3 + (k % 3 != 2);
			char word[80], want[60];

			snprintf(word, sizeof(word), "cpu=host,%.*s%s%s", (int)(k / 3), name_of(f),
				 k % 3 != 1 ? "Q" : "", tail);
			if (is_as_near_to_another(strchr(word, ',') + 1))
				continue;
			snprintf(want, sizeof(want), "did you mean \"%s\"?", name_of(f));
			EXPECT_EQ(ERR_NOENT, parse(word));
			EXPECT_CONTAINS(msg, want);
		}
	}
}

/* --- Hyper-V: values, and words for several features --- */

static void test_hyperv_is_implied(void)
{
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv_relaxed"));
	EXPECT_EQ(by_default() | BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_RELAXED),
		  o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("profile=bare cpu=host,+hv-vpindex"));
	EXPECT_EQ(BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_VPINDEX), o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("profile=both cpu=host,-hyperv"));
	EXPECT_EQ(by_default(), o.config.cpu_features);
	EXPECT_EQ(ERR_NODEV, parse("cpu=host,hv-relaxed,-hyperv"));
	EXPECT_CONTAINS(msg, "Hyper-V hv-relaxed requires Hyper-V hyperv: add that or remove");
}

static u64 hyperv_of(enum hv_profiles most)
{
	u64 set = 0;

	for (u32 f = 0; f < FEATURE_COUNT; f++)
		set |= !is_of_kvm(f) && hv_features[f]->profiles <= most ? BIT64(f) : 0;
	return set;
}

static void test_hyperv_profiles(void)
{
	EXPECT_EQ(ERR_NONE, parse("profile=hv"));
	EXPECT_EQ(BIT64(FEATURE_HYPERVISOR) | hyperv_of(IN_ALL_PROFILES), o.config.cpu_features);
	EXPECT_FALSE(has(FEATURE_HV_SPINLOCKS));
	EXPECT_EQ(ERR_NONE, parse("profile=hv-test"));
	EXPECT_EQ(BIT64(FEATURE_HYPERVISOR) | hyperv_of(IN_TEST_PROFILES), o.config.cpu_features);
	EXPECT_TRUE(has(FEATURE_HV_SPINLOCKS));
	EXPECT_EQ(ERR_NONE, parse("profile=both"));
	EXPECT_EQ(by_default() | hyperv_of(IN_TEST_PROFILES), o.config.cpu_features);
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv_passthrough"));
	EXPECT_EQ(by_default() | hyperv_of(IN_NO_PROFILE), o.config.cpu_features);
	EXPECT_FALSE(has(FEATURE_HV_SYNDBG));
	EXPECT_EQ(ERR_NONE, parse("profile=both cpu=host,-hv-passthrough"));
	EXPECT_EQ(by_default(), o.config.cpu_features);
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,hv-passthrough=some"));
}

static void test_auto(void)
{
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hv_no_nonarch_coresharing=auto"));
	EXPECT_TRUE(has(FEATURE_HV_NO_NONARCH_CORESHARING));
	EXPECT_EQ(ERR_NONE, parse("profile=hv cpu=host,hv-no-nonarch-coresharing=off"));
	EXPECT_FALSE(has(FEATURE_HV_NO_NONARCH_CORESHARING));
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,hv_relaxed=auto"));
	EXPECT_EQ(ERR_INVAL, parse("cpu=host,-hv-no-nonarch-coresharing=auto"));
}

/* In QEMU's words. */
static void test_hyperv_needs(void)
{
	EXPECT_EQ(ERR_NODEV, parse("profile=bare cpu=host,+hv-relaxed,-hyperv"));
	for (u32 f = 0; f < FEATURE_COUNT; f++) {
		u64 left = hv_features[f]->needs;

		for (; !is_of_kvm(f) && left != 0; left &= left - 1) {
			const char *need = name_of((u32)__builtin_ctzll(left));
			char line[200], want[100];

			snprintf(line, sizeof(line), "profile=hv-test cpu=host,+%s,-%s", name_of(f),
				 need);
			snprintf(want, sizeof(want), "Hyper-V %s requires Hyper-V %s", name_of(f),
				 need);
			EXPECT_EQ(ERR_NODEV, parse(line));
			EXPECT_CONTAINS(msg, want);
		}
	}
}

/* --- dependencies --- */

static const struct {
	enum hv_feature_id feature;
	const char *without, *needs;
} needs[] = {
	{ FEATURE_KVMCLOCK_STABLE_BIT, "-kvmclock", "kvmclock" },
	{ FEATURE_KVM_PV_TLB_FLUSH, "-kvm-steal-time", "kvm-steal-time" },
	{ FEATURE_KVM_PV_SCHED_YIELD, "kvm_steal_time=off", "kvm-steal-time" },
	{ FEATURE_KVM_PV_UNHALT, " hlt=passthrough", "hlt=exit" },
	{ FEATURE_KVM_POLL_CONTROL, " hlt=passthrough", "hlt=exit" },
};

/* What the user names must be possible. */
static void test_named_features_need_theirs(void)
{
	char line[200], want[100];

	for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
		const char *name = name_of(needs[i].feature);

		snprintf(line, sizeof(line), "cpu=host,+%s,%s", name, needs[i].without);
		snprintf(want, sizeof(want), "%s needs %s", name, needs[i].needs);
		EXPECT_EQ(ERR_NODEV, parse(line));
		EXPECT_CONTAINS(msg, want);
	}
	for (u32 f = FEATURE_KVMCLOCK; f < FEATURE_COUNT; f++) {
		if (!is_of_kvm(f))
			continue;
		snprintf(line, sizeof(line), "cpu=host,kvm=off,+%s", name_of(f));
		snprintf(want, sizeof(want), "%s needs kvm", name_of(f));
		EXPECT_EQ(ERR_NODEV, parse(line));
		EXPECT_CONTAINS(msg, want);
		snprintf(line, sizeof(line), "profile=bare cpu=host,+%s", name_of(f));
		EXPECT_EQ(ERR_NODEV, parse(line));
		EXPECT_CONTAINS(msg, want);
	}
}

/* What only the profile wants goes, and the log can say why. */
static void test_features_of_the_profile_are_dropped(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(needs); i++) {
		char line[200], text[256], want[100];

		EXPECT_EQ(ERR_NONE, parse("profile=kvm-test"));
		EXPECT_FALSE(options_dropped(&o, text, sizeof(text)));
		EXPECT_STREQ("", text);
		snprintf(line, sizeof(line), "cpu=host,%s", needs[i].without);
		snprintf(want, sizeof(want), "%s (needs %s)", name_of(needs[i].feature),
			 needs[i].needs);
		EXPECT_EQ(ERR_NONE, parse(line));
		EXPECT_EQ(0, has(needs[i].feature));
		EXPECT_TRUE(options_dropped(&o, text, sizeof(text)));
		EXPECT_CONTAINS(text, want);
		/* Off on request is not dropped. */
		snprintf(line, sizeof(line), "cpu=host,-%s,%s", name_of(needs[i].feature),
			 needs[i].without);
		EXPECT_EQ(ERR_NONE, parse(line));
		options_dropped(&o, text, sizeof(text));
		EXPECT_NULL(strstr(text, name_of(needs[i].feature)));
	}
}

static void test_features_need_earlier_ones_only(void)
{
	for (u32 f = 0; f < FEATURE_COUNT; f++) {
		EXPECT_EQ(0, hv_feature_needs(f) >> f);
	}
}

static void test_dropped_text_is_bounded(void)
{
	char text[256], small[20];

	EXPECT_EQ(ERR_NONE, parse("hlt=passthrough cpu=host,-kvmclock,-kvm-steal-time"));
	EXPECT_TRUE(options_dropped(&o, text, sizeof(text)));
	EXPECT_STREQ("kvmclock-stable-bit (needs kvmclock), kvm-pv-unhalt (needs hlt=exit), "
		     "kvm-pv-tlb-flush (needs kvm-steal-time), kvm-poll-control (needs hlt=exit), "
		     "kvm-pv-sched-yield (needs kvm-steal-time)",
		     text);
	EXPECT_TRUE(options_dropped(&o, small, sizeof(small)));
	EXPECT_STREQ("kvmclock-stable-bi", (small[18] = '\0', small));
}

/* kvm=off takes everything; nobody has to be told. As in QEMU it leaves the hypervisor bit. */
static void test_kvm_off(void)
{
	char text[256];

	EXPECT_EQ(ERR_NONE, parse("cpu=host,kvm=off"));
	EXPECT_EQ(BIT64(FEATURE_HYPERVISOR), o.config.cpu_features);
	EXPECT_FALSE(options_dropped(&o, text, sizeof(text)));
	EXPECT_EQ(ERR_NONE, parse("cpu=host,hypervisor=off"));
	EXPECT_EQ(by_default() & ~BIT64(FEATURE_HYPERVISOR), o.config.cpu_features);
}

TEST_MAIN(TEST(test_profiles), TEST(test_profiles_to_come), TEST(test_kvm_test_excludes_mwait),
	  TEST(test_cpu_on_top_of_profile), TEST(test_every_name_in_every_form),
	  TEST(test_malformed), TEST(test_hyperv_is_implied), TEST(test_hyperv_profiles),
	  TEST(test_auto), TEST(test_hyperv_needs), TEST(test_a_typo_is_answered_with_the_name),
	  TEST(test_named_features_need_theirs), TEST(test_features_of_the_profile_are_dropped),
	  TEST(test_features_need_earlier_ones_only), TEST(test_dropped_text_is_bounded),
	  TEST(test_kvm_off))
