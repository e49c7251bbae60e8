/* SPDX-License-Identifier: BSD-2-Clause */
/* Only a hint: the guest's watchdogs allow for time that it did not run. Context: data only. */
#include "hv/hyperv/hyperv_internal.h"

/* Manual: nothing: the guest switches off watchdogs that lost time could set off */
const struct hv_feature hv_relaxed_feature = {
	.name = "hv-relaxed",
	.help = "no watchdogs that lost time could set off",
	.abi = &hyperv_abi,
	.bits = { HV_HINTS(.a = HV_X64_RELAXED_TIMING_RECOMMENDED) },
};
