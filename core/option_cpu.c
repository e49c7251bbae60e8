/* SPDX-License-Identifier: BSD-2-Clause */
/* The vocabulary of cpu=, which is QEMU's. Boot time, pure. */
#include "core/lib/fmt.h"
#include "core/option_internal.h"

/* All of them are on/off. */
static const char *const feature_names[] = {
	[CPU_HYPERVISOR] = "hypervisor",
	[CPU_KVM] = "kvm",
	[CPU_KVMCLOCK] = "kvmclock",
	[CPU_KVMCLOCK_STABLE_BIT] = "kvmclock-stable-bit",
	[CPU_KVM_NOPIODELAY] = "kvm-nopiodelay",
	[CPU_KVM_STEAL_TIME] = "kvm-steal-time",
	[CPU_KVM_PV_EOI] = "kvm-pv-eoi",
	[CPU_KVM_PV_UNHALT] = "kvm-pv-unhalt",
	[CPU_KVM_PV_TLB_FLUSH] = "kvm-pv-tlb-flush",
	[CPU_KVM_PV_IPI] = "kvm-pv-ipi",
	[CPU_KVM_POLL_CONTROL] = "kvm-poll-control",
	[CPU_KVM_PV_SCHED_YIELD] = "kvm-pv-sched-yield",
	[CPU_KVM_HINT_DEDICATED] = "kvm-hint-dedicated",
};
static_assert(ARRAY_SIZE(feature_names) == CPU_FEATURE_COUNT, "one name each");

/* What cpu=host alone gives: all but the hint, which is a promise about the machine's load. */
#define FEATURES_OF_HOST ((BIT64(CPU_FEATURE_COUNT) - 1) & ~BIT64(CPU_KVM_HINT_DEDICATED))

/* QEMU takes '-' and '_' for the same in names. */
static bool is_feature(struct word w, const char *name)
{
	size_t i = 0;

	for (; i < w.len && name[i] != '\0'; i++) {
		if ((w.s[i] == '_' ? '-' : w.s[i]) != name[i])
			return false;
	}
	return i == w.len && name[i] == '\0';
}

static const char *closest_feature(struct word w)
{
	const char *name = feature_names[0];
	u32 best = ~0u;

	for (u32 i = 0; i < ARRAY_SIZE(feature_names); i++)
		word_closer(w, feature_names[i], &best, &name);
	return name;
}

/* "name", "name=on", "+name", "-name" */
static err_t feature_set(struct parse *p, struct word w)
{
	struct word name, val = w;
	bool has_val;
	u32 on = 1;

	if (w.s[0] == '+' || w.s[0] == '-') {
		on = w.s[0] == '+';
		val.s++;
		val.len--;
	}
	name = word_cut(&val, '=', &has_val);
	if (has_val && (name.s != w.s || !word_bool(val, &on))) {
		fmt_print(p->msg, p->msg_len, "option cpu: %.*s: write %.*s=on or %.*s=off",
			  (int)w.len, w.s, (int)name.len, name.s, (int)name.len, name.s);
		return ERR_INVAL;
	}
	for (u32 i = 0; i < ARRAY_SIZE(feature_names); i++) {
		if (is_feature(name, feature_names[i])) {
			p->o->cpu_features &= ~BIT64(i);
			p->o->cpu_features |= (u64)on << i;
			return ERR_NONE;
		}
	}
	fmt_print(p->msg, p->msg_len, "option cpu: unknown feature \"%.*s\", did you mean \"%s\"?",
		  (int)name.len, name.s, closest_feature(name));
	return ERR_NOENT;
}

/* Each cpu= starts from the model's defaults. */
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
	p->o->cpu_features = FEATURES_OF_HOST;
	while (more) {
		struct word feature = word_cut(&val, ',', &more);

		if (feature.len > 0)
			TRY(feature_set(p, feature));
	}
	return ERR_NONE;
}
