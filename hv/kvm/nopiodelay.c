/* SPDX-License-Identifier: BSD-2-Clause */
/* Only a CPUID bit: no guest needs port 0x80 as a delay. Context: data only. */
#include "hv/kvm/kvm_internal.h"

/* Manual: nothing: port 0x80 as a delay is never needed */
const struct hv_feature kvm_nopiodelay_feature = {
	.name = "kvm-nopiodelay",
	.help = "port delays are not wanted",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_NOP_IO_DELAY) },
};
