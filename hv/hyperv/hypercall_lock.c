/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The lock bit of HYPERCALL: hypercall_page.c has it. Context: data only.
 *
 * Spec: TLFS "Establishing the Hypercall Interface".
 */
#include "hv/hyperv/hyperv_internal.h"

/*
 * Manual: bit 1 of HYPERCALL: every later write of that MSR is #GP, until the machine is reset
 */
const struct hv_feature hv_hypercall_lock_feature = {
	.name = "hv-hypercall-lock",
	.help = "the hypercall page can be locked in its place",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.d = HV_FEATURE_HYPERCALL_MSR_LOCK_AVAILABLE) },
};
