/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steal time: what root took from a VP for purposes of its own (core/vp/park.h), and the byte by
 * which other VPs see that a VP is parked and leave it a TLB flush for its return (PV TLB flush).
 * Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_STEAL_TIME".
 */
#include "hv/kvm/kvm_internal.h"

#define AT(member) ((u32)offsetof(struct kvm_steal_time, member))

static_assert(KVM_VCPU_PREEMPTED == PARK_PREEMPTED && KVM_VCPU_FLUSH_TLB == PARK_FLUSH_TLB,
	      "the protocol of core/vp/park.h is KVM's");

void kvm_steal_update(struct vp *vp)
{
	const struct kvm_vp *k = kvm_state(vp);
	u32 version = shared_read32(&k->steal, AT(version)) | 1;

	if (!shared_area_is_live(&k->steal))
		return;
	shared_write32(&k->steal, AT(version), version);
	__atomic_signal_fence(__ATOMIC_RELEASE); /* x86 keeps stores in order */
	shared_write64(&k->steal, AT(steal), steal_total_ns(vp) - k->steal_base_ns);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	shared_write32(&k->steal, AT(version), version + 1);
}

void kvm_steal_map_changed(struct partition *p)
{
	for (u32 i = 0; i < p->vp_count; i++)
		shared_area_recheck(p, &kvm_state(p->vp[i])->steal);
}

static void unregister(struct vp *vp)
{
	park_forget(vp);
	shared_area_clear(vp->partition, &kvm_state(vp)->steal);
}

static void steal_reset(struct vp *vp, bool init)
{
	unregister(vp);
	kvm_state(vp)->steal_msr = 0;
}

static enum msr_result steal_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = kvm_state(vp)->steal_msr;
	return MSR_OK;
}

/*
 * Like KVM's, the count goes on from what the page holds; a bad address is accepted and inactive
 * until a change of the map makes it good. Until the guest's first registration nothing was stolen
 * from it.
 */
static enum msr_result steal_write(struct vp *vp, u32 msr, u64 val)
{
	struct kvm_vp *k = kvm_state(vp);
	u64 shown_ns;

	unregister(vp);
	k->steal_msr = val;
	if (!(val & KVM_MSR_ENABLED))
		return MSR_OK;
	shown_ns = 0;
	if (shared_area_set(vp->partition, &k->steal, val & KVM_STEAL_ADDRESS,
			    sizeof(struct kvm_steal_time)) == ERR_NONE)
		shown_ns = shared_read32(&k->steal, AT(steal)) |
			   (u64)shared_read32(&k->steal, AT(steal) + 4) << 32;
	k->steal_base_ns = steal_total_ns(vp) - shown_ns;
	vp->park.area = &k->steal;
	vp->park.offset = AT(preempted);
	shared_write8(&k->steal, AT(preempted), 0);
	kvm_steal_update(vp);
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	{ MSR_ONE(MSR_KVM_STEAL_TIME, "MSR_KVM_STEAL_TIME"), .rsvdz = KVM_STEAL_RESERVED,
	  .read = steal_read, .write = steal_write },
};

const struct kvm_feature kvm_steal_time_feature = {
	.id = CPU_KVM_STEAL_TIME,
	.bits = KVM_FEATURE_STEAL_TIME,
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = steal_reset,
};
