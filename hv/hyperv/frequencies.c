/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How fast TSC and APIC timer count. Context: VP's own CPU.
 *
 * Spec: TLFS "TSC Frequency MSR", "APIC Frequency MSR".
 */
#include "hv/hyperv/hyperv_internal.h"

static enum msr_result tsc_frequency_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->partition->clock.tsc_hz;
	return MSR_OK;
}

static enum msr_result apic_frequency_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->apic.timer_hz;
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	/* Manual: written | - | kept | kept */
	{ MSR_ONE(HV_X64_MSR_TSC_FREQUENCY, "HV_X64_MSR_TSC_FREQUENCY"),
	  .read = tsc_frequency_read },
	/* Manual: written | - | kept | kept */
	{ MSR_ONE(HV_X64_MSR_APIC_FREQUENCY, "HV_X64_MSR_APIC_FREQUENCY"),
	  .read = apic_frequency_read },
};

/* Manual: the frequencies of the TSC and of the virtual APIC's timer before its divider, in Hz */
const struct hv_feature hv_frequencies_feature = {
	.name = "hv-frequencies",
	.help = "the frequencies of TSC and APIC timer",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_ACCESS_FREQUENCY_MSRS,
				.d = HV_FEATURE_FREQUENCY_MSRS_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
};
