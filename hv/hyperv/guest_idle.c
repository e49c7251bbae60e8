/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sleep until an interrupt arrives, even a masked one: Linux waits for a lock like this. Context:
 * VP's own CPU.
 *
 * Spec: TLFS "Virtual Processor Idle Sleep State".
 */
#include "hv/hyperv/hyperv_internal.h"

static enum msr_result guest_idle_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = 0;
	COUNT(vp, HV_GUEST_IDLE);
	vp_idle(vp);
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	/* Manual: written | - | - | - */
	{ MSR_ONE(HV_X64_MSR_GUEST_IDLE, "HV_X64_MSR_GUEST_IDLE"), .read = guest_idle_read },
};

/* Manual: a read sleeps until any interrupt is requested, also one that IF or the TPR blocks */
const struct hv_feature hv_guest_idle_feature = {
	.name = "hv-guest-idle",
	.help = "an MSR that sleeps until an interrupt arrives, even a masked one",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_GUEST_IDLE_AVAILABLE,
				.d = HV_X64_GUEST_IDLE_STATE_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
};
