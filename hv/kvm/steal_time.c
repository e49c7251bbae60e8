/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Steal time: what root took from a VP for purposes of its own (core/vp/park.h), and the byte by
 * which other VPs see that a VP is parked and leave it a TLB flush for its return (PV TLB flush).
 * Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_STEAL_TIME".
 */
#include "hv/kvm/kvm_internal.h"

struct steal_vp {
	u64 msr;                 /* MSR_KVM_STEAL_TIME as written */
	struct shared_area area; /* struct kvm_steal_time */
	u64 base_ns;             /* stolen time at which the guest's count is 0 */
};

static struct hv_vp_state state = { .size = sizeof(struct steal_vp) };

static struct steal_vp *steal_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

#define AT(member) ((u32)offsetof(struct kvm_steal_time, member))

static_assert(KVM_VCPU_PREEMPTED == PARK_PREEMPTED && KVM_VCPU_FLUSH_TLB == PARK_FLUSH_TLB,
	      "core/vp/park.h writes the byte");

static void steal_update(struct vp *vp)
{
	const struct steal_vp *k = steal_of(vp);
	u32 version = shared_read32(&k->area, AT(version)) | 1;

	if (!shared_area_is_live(&k->area))
		return;
	shared_write32(&k->area, AT(version), version);
	__atomic_signal_fence(__ATOMIC_RELEASE); /* x86 keeps stores in order */
	shared_write64(&k->area, AT(steal), steal_total_ns(vp) - k->base_ns);
	__atomic_signal_fence(__ATOMIC_RELEASE);
	shared_write32(&k->area, AT(version), version + 1);
}

static void unregister(struct vp *vp)
{
	park_forget(vp);
	shared_area_clear(vp->partition, &steal_of(vp)->area);
}

static void steal_reset(struct vp *vp, bool init)
{
	unregister(vp);
	steal_of(vp)->msr = 0;
}

static enum msr_result steal_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = steal_of(vp)->msr;
	return MSR_OK;
}

/*
 * As in KVM the count continues from the page's value, and a bad address is accepted, but inactive
 * until a change of the map makes it valid. Time stolen before the first registration does not
 * count.
 */
static enum msr_result steal_write(struct vp *vp, u32 msr, u64 val)
{
	struct steal_vp *k = steal_of(vp);
	u64 shown_ns;

	unregister(vp);
	k->msr = val;
	if (!(val & KVM_MSR_ENABLED))
		return MSR_OK;
	shown_ns = 0;
	if (shared_area_set(vp->partition, &k->area, val & KVM_STEAL_ADDRESS,
			    sizeof(struct kvm_steal_time)) == ERR_NONE)
		shown_ns = shared_read32(&k->area, AT(steal)) |
			   (u64)shared_read32(&k->area, AT(steal) + 4) << 32;
	k->base_ns = steal_total_ns(vp) - shown_ns;
	vp->park.area = &k->area;
	vp->park.offset = AT(preempted);
	shared_write8(&k->area, AT(preempted), 0);
	steal_update(vp);
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	/* Manual: | accepted, inactive until the map makes it RAM | 0 | 0 */
	{ MSR_ONE(MSR_KVM_STEAL_TIME, "MSR_KVM_STEAL_TIME"), .rsvdz = KVM_STEAL_RESERVED,
	  .read = steal_read, .write = steal_write },
};

/*
 * Manual: time taken from the VP, and the byte PREEMPTED while it sleeps or is held (below)
 */
const struct hv_feature kvm_steal_time_feature = {
	.name = "kvm-steal-time",
	.help = "time that the hypervisor took",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_STEAL_TIME) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_reset = steal_reset,
	.stolen = steal_update,
};
