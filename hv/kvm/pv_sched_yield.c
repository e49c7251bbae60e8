/* SPDX-License-Identifier: BSD-2-Clause */
/* PV yield: SCHED_YIELD, a VP waits for another one that does not run. Context: caller's CPU. */
#include "hv/kvm/kvm_internal.h"

/*
 * VPs are pinned: the caller's time cannot be given to another VP. We can only stop deferrable work
 * that root does on that VP's CPU.
 */
static s64 sched_yield(struct vp *vp, u64 apic_id, u64 a1, u64 a2, u64 a3)
{
	struct vp *target = partition_vp_by_apic_id(vp->partition, (u32)apic_id);

	COUNT(vp, KVM_SCHED_YIELD);
	if (target != NULL && target != vp)
		park_want(target);
	return 0;
}

static const struct hcall_row hcalls[] = {
	/* Manual: see below | 0, also for an unknown ID */
	{ .nr = KVM_HC_SCHED_YIELD, .name = "SCHED_YIELD", .reg = sched_yield },
};

/* The guest asks the target's steal time area whether it runs. */
/* Manual: SCHED_YIELD (below) */
const struct hv_feature kvm_pv_sched_yield_feature = {
	.name = "kvm-pv-sched-yield",
	.help = "a CPU gives way to a waiting one",
	.abi = &kvm_abi,
	.needs = BIT64(FEATURE_KVM_STEAL_TIME),
	.bits = { KVM_BITS(.a = KVM_FEATURE_PV_SCHED_YIELD) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
