/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Output of fast hypercalls in registers: hv/hcall_mem.h has it, vmcall.c offers it. Context: data
 * only.
 *
 * Spec: TLFS "XMM Fast Hypercall Output".
 */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: for 64-bit callers, in the registers behind the last one with input. Without it a fast
 * call with output is refused (3)
 */
const struct hv_feature hv_xmm_output_feature = {
	.name = "hv-xmm-output",
	.help = "output of a hypercall in registers",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.b = HV_FAST_HYPERCALL_OUTPUT,
				.d = HV_X64_HYPERCALL_XMM_OUTPUT_AVAILABLE) },
};
