/* SPDX-License-Identifier: BSD-2-Clause */
/* PV unhalt: KICK_CPU, one VP ends the HLT of another. Context: caller's CPU. */
#include "hv/kvm/kvm_internal.h"

/* @flags: none is defined. The result is 0 for an ID that nobody has, too. */
static s64 kick_cpu(struct vp *vp, u64 flags, u64 apic_id, u64 a2, u64 a3)
{
	struct vp *target = partition_vp_by_apic_id(vp->partition, (u32)apic_id);

	COUNT(vp, KVM_KICK);
	if (target != NULL && vp_unhalt(target))
		COUNT(vp, KVM_KICK_WAKE);
	return 0;
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: ends the HLT of the VP with that APIC ID, or its next one if it is running,
	 * whatever IF is. The flags are ignored | 0, also for an unknown ID
	 */
	{ .nr = KVM_HC_KICK_CPU, .name = "KICK_CPU", .reg = kick_cpu },
};

/* Manual: KICK_CPU ends a HLT, even with IF = 0 */
const struct hv_feature kvm_pv_unhalt_feature = {
	.name = "kvm-pv-unhalt",
	.help = "a CPU wakes another one from HLT",
	.abi = &kvm_abi,
	.needs_hlt_exit = true,
	.bits = { KVM_BITS(.a = KVM_FEATURE_PV_UNHALT) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
