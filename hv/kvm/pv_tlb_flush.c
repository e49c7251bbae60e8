/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV TLB flush: the guest asks the target's steal time area whether it runs, and leaves the flush
 * there if not; core/vp/park.c does it. Context: data only.
 */
#include "hv/kvm/kvm_internal.h"

/*
 * Manual: a VP that sleeps or is held needs no flush IPI: the sender sets FLUSH_TLB next to
 * PREEMPTED, and the VP flushes (INVVPID, all contexts of its VPID) before it runs again
 */
const struct hv_feature kvm_pv_tlb_flush_feature = {
	.name = "kvm-pv-tlb-flush",
	.help = "TLBs of waiting CPUs are flushed later",
	.abi = &kvm_abi,
	.needs = BIT64(FEATURE_KVM_STEAL_TIME),
	.bits = { KVM_BITS(.a = KVM_FEATURE_PV_TLB_FLUSH) },
};
