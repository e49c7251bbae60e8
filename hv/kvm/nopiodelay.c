/* SPDX-License-Identifier: BSD-2-Clause */
/* Only a CPUID bit: no guest needs port 0x80 as a delay. Context: data only. */
#include "hv/kvm/kvm_internal.h"

/* Manual: nothing: no delay by port 0x80 is needed */
const struct hv_feature kvm_nopiodelay_feature = {
	.name = "kvm-nopiodelay",
	.help = "port delays are not wanted",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_NOP_IO_DELAY) },
};
