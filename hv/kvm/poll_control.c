/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POLL_CONTROL: a guest that polls before HLT by itself tells the host not to. Context: VP's own
 * CPU.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_POLL_CONTROL".
 */
#include "hv/kvm/kvm_internal.h"

static enum msr_result poll_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = vp->halt_poll.disallowed ? 0 : KVM_POLL_ALLOWED;
	return MSR_OK;
}

static enum msr_result poll_write(struct vp *vp, u32 msr, u64 val)
{
	vp->halt_poll.disallowed = !(val & KVM_POLL_ALLOWED);
	return MSR_OK;
}

static void poll_reset(struct vp *vp, bool init)
{
	if (!init) /* as in KVM it survives INIT */
		vp->halt_poll.disallowed = false;
}

static const struct msr_row msrs[] = {
	/* Manual: | - | kept | 1 */
	{ MSR_ONE(MSR_KVM_POLL_CONTROL, "MSR_KVM_POLL_CONTROL"), .rsvdz = ~KVM_POLL_ALLOWED,
	  .read = poll_read, .write = poll_write },
};

/* Manual: the guest switches halt polling (`halt_poll_ns`) off and on */
const struct hv_feature kvm_poll_control_feature = {
	.name = "kvm-poll-control",
	.help = "the guest can switch halt polling off",
	.abi = &kvm_abi,
	.needs_hlt_exit = true,
	.bits = { KVM_BITS(.a = KVM_FEATURE_POLL_CONTROL) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = poll_reset,
};
