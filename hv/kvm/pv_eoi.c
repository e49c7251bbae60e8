/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV EOI: the MSR in front of core/apic/lazy_eoi.h. Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_PV_EOI_EN".
 */
#include "core/apic/lazy_eoi.h"
#include "hv/kvm/kvm_internal.h"

static enum msr_result pv_eoi_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = kvm_state(vp)->pv_eoi_msr;
	return MSR_OK;
}

/* Unlike the other addresses of this ABI a bad one is #GP, and nothing changes. */
static enum msr_result pv_eoi_write(struct vp *vp, u32 msr, u64 val)
{
	if (!(val & KVM_MSR_ENABLED)) {
		lazy_eoi_disable(vp);
	} else if (lazy_eoi_enable(vp, val & KVM_PV_EOI_ADDRESS) != ERR_NONE) {
		return MSR_GP;
	}
	kvm_state(vp)->pv_eoi_msr = val;
	return MSR_OK;
}

static void pv_eoi_reset(struct vp *vp, bool init)
{
	lazy_eoi_disable(vp);
	kvm_state(vp)->pv_eoi_msr = 0;
}

static const struct msr_row msrs[] = {
	{ MSR_ONE(MSR_KVM_PV_EOI_EN, "MSR_KVM_PV_EOI_EN"), .rsvdz = KVM_PV_EOI_RESERVED,
	  .read = pv_eoi_read, .write = pv_eoi_write },
};

const struct kvm_feature kvm_pv_eoi_feature = {
	.id = CPU_KVM_PV_EOI,
	.bits = KVM_FEATURE_PV_EOI,
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = pv_eoi_reset,
};
