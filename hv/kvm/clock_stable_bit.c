/* SPDX-License-Identifier: BSD-2-Clause */
/* The bit that lets clock.c set TSC_STABLE in the clock pages. Context: data only. */
#include "hv/kvm/kvm_internal.h"

/*
 * Manual: TSC_STABLE in each clock page, while the CPUs' TSCs are in step and the guest has not set
 * its VPs' apart
 */
const struct hv_feature kvmclock_stable_bit_feature = {
	.name = "kvmclock-stable-bit",
	.help = "the clock pages of all CPUs agree",
	.abi = &kvm_abi,
	.needs = BIT64(FEATURE_KVMCLOCK),
	.bits = { KVM_BITS(.a = KVM_FEATURE_CLOCKSOURCE_STABLE) },
};
