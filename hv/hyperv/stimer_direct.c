/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Synthetic timers that request an interrupt by themselves: stimer.c does it. Context: data.
 *
 * Spec: TLFS "Direct Synthetic Timers".
 */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: a synthetic timer may request an interrupt of its own; a vector below 16 is an error in
 * the APIC's ESR. It does not need the synthetic interrupt controller to be on
 */
const struct hv_feature hv_stimer_direct_feature = {
	.name = "hv-stimer-direct",
	.help = "synthetic timers with a vector of their own",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_STIMER),
	.bits = { HV_PRIVILEGES(.d = HV_STIMER_DIRECT_MODE_AVAILABLE) },
};
