/* SPDX-License-Identifier: BSD-2-Clause */
/* Large pages in the lists of flush hypercalls: a flag, and a format that tlbflush.c need not read.
 * Context: data only. */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: the flag HV_FLUSH_USE_EXTENDED_RANGE_FORMAT of the flush hypercalls
 */
const struct hv_feature hv_tlbflush_ext_feature = {
	.name = "hv-tlbflush-ext",
	.help = "ranges of large pages in flush hypercalls",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_TLBFLUSH),
	.bits = { HV_PRIVILEGES(.d = HV_FEATURE_EXT_GVA_RANGES_FLUSH) },
};
