/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID's hypervisor bit: a feature of no ABI. Context: data only. */
#include "hv/feature.h"

const struct hv_feature hypervisor_feature = {
	.name = "hypervisor",
	.help = "the guest is told that there is a hypervisor",
	.bits = { { .leaf = CPUID_LEAF_FEATURES, .regs = { .c = CPUID1_ECX_HYPERVISOR } } },
};
