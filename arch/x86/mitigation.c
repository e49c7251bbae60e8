/* SPDX-License-Identifier: BSD-2-Clause */
/* Which speculation sequences a CPU needs. Pure. */
#include "arch/x86/mitigation.h"

#include "arch/x86/defs/msr.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"

/*
 * One row per problem: the sequence is needed unless IA32_ARCH_CAPABILITIES says that the CPU is
 * not affected. A CPU without the register, or the bit, counts as affected.
 */
static const struct {
	u64 not_affected; /* any of these bits: not needed */
	u64 immune;       /* all of these: not needed */
	u64 only_with;    /* without these the sequence has no effect */
	u32 sequence;
	bool md_clear; /* nor without this microcode */
	bool rtm;      /* only with transactions (RTM) */
} problems[] = {
	/* Branch target injection: enhanced IBRS would need a SPEC_CTRL write per exit, thunks
	 * do not. */
	{ .sequence = MITIGATION_RETPOLINE },
	{ .sequence = MITIGATION_RSB_FILL },
	/* Microarchitectural data sampling. */
	{ .sequence = MITIGATION_VERW, .not_affected = ARCH_CAP_MDS_NO, .md_clear = true },
	/* TSX asynchronous abort. */
	{ .sequence = MITIGATION_VERW,
	  .not_affected = ARCH_CAP_TAA_NO,
	  .md_clear = true,
	  .rtm = true },
	/* Processor MMIO stale data: a guest with devices can read the fill buffers. */
	{ .sequence = MITIGATION_VERW,
	  .immune = ARCH_CAP_SBDR_SSDP_NO | ARCH_CAP_FBSDP_NO | ARCH_CAP_PSDP_NO,
	  .only_with = ARCH_CAP_FB_CLEAR },
	/* Register file data sampling, on Atoms and E-cores. */
	{ .sequence = MITIGATION_VERW,
	  .not_affected = ARCH_CAP_RFDS_NO,
	  .only_with = ARCH_CAP_RFDS_CLEAR },
	{ .sequence = MITIGATION_L1TF,
	  .not_affected = ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL_VMENTRY },
};

static const char *const names[] = { "retpoline", "rsb-fill", "verw", "l1tf-needs-microcode" };

u32 mitigation_decide(const struct mitigation_input *in)
{
	u64 caps = in->arch_capabilities_present ? in->arch_capabilities : 0;
	u32 sequences = 0;

	if (in->hidden)
		return 0;
	if (in->all) /* VERW is harmless where it clears nothing */
		return MITIGATION_RETPOLINE | MITIGATION_RSB_FILL | MITIGATION_VERW;
	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		u64 immune = problems[i].immune, with = problems[i].only_with;

		if ((caps & problems[i].not_affected) ||
		    (immune != 0 && (caps & immune) == immune) || (caps & with) != with)
			continue;
		if ((problems[i].md_clear && !in->md_clear) || (problems[i].rtm && !in->rtm))
			continue;
		sequences |= problems[i].sequence;
	}
	return sequences;
}

/*
 * Intel, "Branch History Injection": the host has no indirect branches but thunks; only where a RET
 * is predicted like one (RRSBA) would it take SPEC_CTRL, which is the guest's.
 */
static bool bhi_is_open(const struct mitigation_input *in, u64 caps)
{
	return (caps & ARCH_CAP_BHI_NO) == 0 && (in->hidden || (caps & ARCH_CAP_RRSBA) != 0);
}

/* Intel, "Machine Check Error Avoidance on Page Size Change". Some Atoms are not affected, too. */
static bool itlb_multihit_is_open(const struct mitigation_input *in, u64 caps)
{
	return (caps & ARCH_CAP_IF_PSCHANGE_MC_NO) == 0;
}

static const struct {
	const char *name;
	bool (*is_open)(const struct mitigation_input *in, u64 caps);
	const char *why;
} gaps[] = {
	{ "bhi", bhi_is_open, "indirect branches or returns are predicted by the guest's history" },
	{ "itlb_multihit", itlb_multihit_is_open,
	  "large pages stay executable: a guest that owns the machine can stop it anyway" },
};

bool mitigation_gap(u32 i, const struct mitigation_input *in, struct mitigation_gap *out)
{
	u64 caps = in->arch_capabilities_present ? in->arch_capabilities : 0;

	if (i >= ARRAY_SIZE(gaps))
		return false;
	*out = (struct mitigation_gap){ gaps[i].name, gaps[i].is_open(in, caps), gaps[i].why };
	return true;
}

void mitigation_describe(u32 sequences, char *buf, size_t len)
{
	size_t at = 0;

	if (sequences == 0) {
		fmt_print(buf, len, "none");
		return;
	}
	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if ((sequences & BIT32(i)) && at < len)
			at += fmt_print(buf + at, len - at, "%s%s", at ? " " : "", names[i]);
	}
}
