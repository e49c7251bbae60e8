/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KICK_CPU and SCHED_YIELD: a VP acts on another one that does not run. Context: caller's CPU.
 */
#include "hv/kvm/kvm_internal.h"

/* Arguments: flags (none is defined), APIC ID. The result is 0 for an ID that nobody has, too. */
s64 kvm_hc_kick_cpu(struct vp *vp, const u64 args[4])
{
	struct vp *target = partition_vp_by_apic_id(vp->partition, (u32)args[1]);

	COUNT(vp, KVM_KICK);
	if (target != NULL && vp_unhalt(target))
		COUNT(vp, KVM_KICK_WAKE);
	return 0;
}

/*
 * Argument: APIC ID. A pinned VP cannot be given the caller's time; what can be done for it is to
 * stop work that root does on its CPU and that can wait.
 */
s64 kvm_hc_sched_yield(struct vp *vp, const u64 args[4])
{
	struct vp *target = partition_vp_by_apic_id(vp->partition, (u32)args[0]);

	COUNT(vp, KVM_SCHED_YIELD);
	if (target != NULL && target != vp)
		park_want(target);
	return 0;
}
