/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hint REALTIME: true of this machine, and off as in QEMU, because Linux gives up PV spinlocks,
 * TLB flushes and yields for it. Context: data only.
 */
#include "hv/kvm/kvm_internal.h"

/*
 * Manual: only the hint, which is true here; Linux then uses no PV spinlocks, TLB flushes or yields
 */
const struct hv_feature kvm_hint_dedicated_feature = {
	.name = "kvm-hint-dedicated",
	.help = "a CPU never waits for another guest",
	.abi = &kvm_abi,
	.profiles = IN_NO_PROFILE,
	.bits = { KVM_BITS(.d = KVM_HINTS_REALTIME) },
};
