/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypercalls of the KVM ABI as rows. One that its feature does not offer is as unknown as one
 * that does not exist. Pure. Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/hypercalls.rst.
 */
#include "hv/kvm/kvm_internal.h"

#define ALWAYS CPU_KVM /* no feature of its own: what KVM has, it answers */

static const struct {
	s64 (*fn)(struct vp *vp, const u64 args[4]);
	enum cpu_feature feature;
} hypercalls[] = {
	[KVM_HC_KICK_CPU] = { kvm_hc_kick_cpu, CPU_KVM_PV_UNHALT },
	[KVM_HC_CLOCK_PAIRING] = { kvm_hc_clock_pairing, ALWAYS },
	[KVM_HC_SEND_IPI] = { kvm_hc_send_ipi, CPU_KVM_PV_IPI },
	[KVM_HC_SCHED_YIELD] = { kvm_hc_sched_yield, CPU_KVM_PV_SCHED_YIELD },
};

s64 kvm_hypercall(struct vp *vp, u64 nr, const u64 args[4])
{
	if (nr >= ARRAY_SIZE(hypercalls) || hypercalls[nr].fn == NULL ||
	    !config_has(&vp->partition->config, hypercalls[nr].feature)) {
		COUNT(vp, VMCALL_UNKNOWN);
		return -KVM_ENOSYS;
	}
	return hypercalls[nr].fn(vp, args);
}
