/* SPDX-License-Identifier: BSD-2-Clause */
/* Which speculation sequences a CPU needs. Pure. */
#include "arch/x86/mitigation.h"

#include "arch/x86/defs/msr.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"

/*
 * One row per problem: the sequence is needed unless IA32_ARCH_CAPABILITIES says that the CPU is
 * not affected. Where a CPU has no such register (or no such bit), it counts as affected.
 */
static const struct {
	u32 sequence;
	u64 not_affected; /* any of these bits: not needed */
	const char *name;
} problems[] = {
	/* Branch target injection: enhanced IBRS would need SPEC_CTRL at every exit; thunks do not.
	 */
	{ MITIGATION_RETPOLINE, 0, "retpoline" },
	{ MITIGATION_RSB_FILL, 0, "rsb-fill" },
	/* Microarchitectural data sampling. */
	{ MITIGATION_VERW, ARCH_CAP_MDS_NO, "verw" },
	{ MITIGATION_L1TF, ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL_VMENTRY, "l1tf-needs-microcode" },
};

u32 mitigation_decide(const struct mitigation_input *in)
{
	u64 caps = in->arch_capabilities_present ? in->arch_capabilities : 0;
	u32 sequences = 0;

	if (in->hidden)
		return 0;
	if (in->all) /* VERW is harmless where it clears nothing */
		return MITIGATION_RETPOLINE | MITIGATION_RSB_FILL | MITIGATION_VERW;
	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		if (!(caps & problems[i].not_affected))
			sequences |= problems[i].sequence;
	}
	/* VERW clears buffers only with the microcode that says so. */
	if (!in->md_clear)
		sequences &= ~MITIGATION_VERW;
	return sequences;
}

void mitigation_describe(u32 sequences, char *buf, size_t len)
{
	size_t at = 0;

	if (sequences == 0) {
		fmt_print(buf, len, "none");
		return;
	}
	buf[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(problems); i++) {
		if ((sequences & problems[i].sequence) && at < len)
			at += fmt_print(buf + at, len - at, "%s%s", at ? " " : "",
					problems[i].name);
	}
}
