/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long a VP has run: wall time less what root stole (core/vp/park.h). Context: VP's own CPU.
 *
 * Spec: TLFS "Virtual Processor Run Time".
 */
#include "core/time/tsc_emul.h"
#include "hv/hyperv/hyperv_internal.h"

#define NS_PER_UNIT 100u

static enum msr_result runtime_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = (clock_now_ns(&vp->partition->clock, partition_tsc(vp->partition)) -
		steal_total_ns(vp)) /
	       NS_PER_UNIT;
	return MSR_OK;
}

static const struct msr_row msrs[] = {
	/* Manual: written | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_VP_RUNTIME, "HV_X64_MSR_VP_RUNTIME"), .read = runtime_read },
};

/* Manual: wall time less the time that Kensho stole, in units of 100 ns. A halted VP has its CPU
 * for itself: that counts as run time */
const struct hv_feature hv_runtime_feature = {
	.name = "hv-runtime",
	.help = "how long a CPU has run",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_VP_RUNTIME_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
};
