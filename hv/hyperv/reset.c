/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reset of the machine by an MSR. Context: VP's own CPU.
 *
 * Spec: TLFS "System Reset MSR".
 */
#include "core/hw.h"
#include "hv/hyperv/hyperv_internal.h"

static enum msr_result reset_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = 0;
	return MSR_OK;
}

/* As in KVM any other value does nothing. */
static enum msr_result reset_write(struct vp *vp, u32 msr, u64 val)
{
	if (val != HV_RESET_NOW)
		return MSR_OK;
	partition_ending(vp, "the guest resets the machine by HV_X64_MSR_RESET");
	hw_reboot();
}

static const struct msr_row msrs[] = {
	/* Manual: | - | - | 0 */
	{ MSR_ONE(HV_X64_MSR_RESET, "HV_X64_MSR_RESET"), .read = reset_read, .write = reset_write },
};

/* Manual: writing 1 resets the machine; other values do nothing */
const struct hv_feature hv_reset_feature = {
	.name = "hv-reset",
	.help = "an MSR that resets the machine",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_RESET_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
};
