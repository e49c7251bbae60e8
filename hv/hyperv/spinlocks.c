/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Spin notification: how often the guest tries a lock before it tells us. Context: caller's CPU.
 *
 * Spec: TLFS "Spin Wait", HvNotifyLongSpinWait.
 */
#include "hv/hyperv/hyperv_internal.h"

/* VPs are pinned: there is no other VP to run instead of the caller. */
static u16 notify_long_spin_wait(struct vp *vp, u64 spins, u64 unused, u64 unused_too)
{
	COUNT(vp, HV_SPIN_WAIT);
	return HV_STATUS_SUCCESS;
}

/* SPEC-GAP: with 0 tries in leaf 4 the call is denied, as on KVM that enforces CPUID. */
static bool offers_call(const struct partition *p)
{
	return p->config.hv_spinlocks != 0;
}

static const struct hcall_row hcalls[] = {
	/* Manual: nothing: VPs are pinned, no other one could run instead | 0 */
	{ .nr = HVCALL_NOTIFY_LONG_SPIN_WAIT,
	  .kind = HCALL_SIMPLE,
	  .name = "NotifyLongSpinWait",
	  .words = notify_long_spin_wait,
	  .in_size = 8,
	  .fast = true },
};

/* Manual: the number in leaf 4 EBX, and NotifyLongSpinWait, which 0 denies. 0xFFFFFFFF switches it
 * off */
const struct hv_feature hv_spinlocks_feature = {
	.name = "hv-spinlocks",
	.help = "how often to try a lock before telling the hypervisor",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
	.offers_hcalls = offers_call,
};
