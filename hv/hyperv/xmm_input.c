/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input of fast hypercalls in XMM registers: hv/hcall_mem.h has it, vmcall.c offers it. Context:
 * data only.
 *
 * Spec: TLFS "XMM Fast Hypercall Input".
 */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: RDX, R8 and XMM0-5 (32-bit: EBX:ECX, EDI:ESI and XMM0-5). Without it a fast call of more
 * than 16 bytes is #UD
 */
const struct hv_feature hv_xmm_input_feature = {
	.name = "hv-xmm-input",
	.help = "up to 112 bytes of a hypercall's input in registers",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.d = HV_X64_HYPERCALL_XMM_INPUT_AVAILABLE) },
};
