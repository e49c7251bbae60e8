/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV EOI: the MSR in front of core/apic/lazy_eoi.h. Context: VP's own CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_PV_EOI_EN".
 */
#include "core/apic/lazy_eoi.h"
#include "hv/kvm/kvm_internal.h"

/* MSR_KVM_PV_EOI_EN as written. */
static struct hv_vp_state state = { .size = sizeof(u64) };

static u64 *msr_of(const struct vp *vp)
{
	return hv_state(vp, &state);
}

static enum msr_result pv_eoi_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = *msr_of(vp);
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
	*msr_of(vp) = val;
	return MSR_OK;
}

static void pv_eoi_reset(struct vp *vp, bool init)
{
	lazy_eoi_disable(vp);
	*msr_of(vp) = 0;
}

static const struct msr_row msrs[] = {
	/* Manual: bit 0 with an address that is not RAM (the old registration stays) | #GP. Bit 0
	 * clear: any address, PV EOI is off | 0 | 0 */
	{ MSR_ONE(MSR_KVM_PV_EOI_EN, "MSR_KVM_PV_EOI_EN"), .rsvdz = KVM_PV_EOI_RESERVED,
	  .read = pv_eoi_read, .write = pv_eoi_write },
};

/*
 * Manual: an edge interrupt with nothing pending after it ends by clearing a bit in memory. Not
 * armed where the CPU itself uses the in-service bits (APIC-register virtualization,
 * virtual-interrupt delivery): there an EOI does not exit either
 */
const struct hv_feature kvm_pv_eoi_feature = {
	.name = "kvm-pv-eoi",
	.help = "end of interrupt without an exit",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_PV_EOI) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_state = &state,
	.vp_reset = pv_eoi_reset,
};
