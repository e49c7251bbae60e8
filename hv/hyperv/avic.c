/* SPDX-License-Identifier: BSD-2-Clause */
/* Only a hint: interrupts that end by themselves are not to be asked for. Context: data only. */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: only the hint not to use auto-EOI, and none for hv-vapic's registers: where the CPU
 * virtualizes the APIC those would be slower
 */
const struct hv_feature hv_avic_feature = {
	.name = "hv-avic",
	.alias = "hv-apicv",
	.help = "the guest does without auto-EOI and APIC MSRs",
	.abi = &hyperv_abi,
	.profiles = IN_NO_PROFILE,
	.bits = { HV_HINTS(.a = HV_DEPRECATING_AEOI_RECOMMENDED) },
};
