/* SPDX-License-Identifier: BSD-2-Clause */
/* Only a hint, true here: VPs are pinned, and the guest sees the machine's own topology. Context:
 * data only. */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: only the hint, which is true here: VPs are pinned, and the guest sees the machine's own
 * topology
 */
const struct hv_feature hv_no_nonarch_coresharing_feature = {
	.name = "hv-no-nonarch-coresharing",
	.help = "two CPUs share a core only where the topology says so",
	.abi = &hyperv_abi,
	.has_auto = true,
	.bits = { HV_HINTS(.a = HV_X64_NO_NONARCH_CORESHARING) },
};
