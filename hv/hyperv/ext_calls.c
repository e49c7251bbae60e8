/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv-ext-hypercalls: which extended calls there are. None besides: a guest that is told that memory
 * was zeroed at boot relies on it, and Kensho does not clear the guest's memory.
 *
 * Context: caller's CPU. Spec: TLFS "HvExtCallQueryCapabilities".
 */
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_internal.h"

static u16 query_capabilities(struct vp *vp, struct hcall *hc)
{
	return HV_STATUS_SUCCESS; /* the output is zeroed */
}

static const struct hcall_row hcalls[] = {
	/* Manual: 8 bytes, all zero: no other extended call | 5: a fast call */
	{ .nr = HV_EXT_CALL_QUERY_CAPABILITIES,
	  .kind = HCALL_SIMPLE,
	  .name = "ExtCallQueryCapabilities",
	  .mem = query_capabilities,
	  .no_fast_status = HV_STATUS_INVALID_PARAMETER,
	  .out_size = sizeof(u64) },
};

/* Manual: ExtCallQueryCapabilities */
const struct hv_feature hv_ext_hypercalls_feature = {
	.name = "hv-ext-hypercalls",
	.help = "the query for extended hypercalls",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.b = HV_ENABLE_EXTENDED_HYPERCALLS) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
