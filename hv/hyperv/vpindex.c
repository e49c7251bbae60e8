/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The VP's own number, by which hypercalls name VPs. Context: VP's own CPU.
 *
 * Spec: TLFS "Virtual Processor Index".
 */
#include "hv/hyperv/hyperv_internal.h"

static u64 vp_index(struct vp *vp)
{
	return vp->index;
}

static const struct msr_row msrs[] = {
	/* Manual: written | - | kept | kept */
	{ MSR_ONE(HV_X64_MSR_VP_INDEX, "HV_X64_MSR_VP_INDEX"), .get = vp_index },
};

/* Manual: numbers from 0, in the order of the local APICs that started at boot */
const struct hv_feature hv_vpindex_feature = {
	.name = "hv-vpindex",
	.help = "a CPU can read its number",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_MSR_VP_INDEX_AVAILABLE) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
};
