/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the Hyper-V ABI share. A feature's own state is in its own file. */
#pragma once

#include "hv/feature.h"
#include "hv/hcall.h"
#include "hv/hyperv/hyperv.h"
#include "hv/hyperv/hyperv_abi.h"

/* HV_PRIVILEGES() - bits of the features leaf, by register: a: MSRs, b: hypercalls, d: others. */
#define HV_PRIVILEGES(...)                                             \
	{                                                              \
		.leaf = HYPERV_CPUID_FEATURES, .regs = { __VA_ARGS__ } \
	}

/* HV_HINTS() - bits of the leaf of recommendations. */
#define HV_HINTS(...)                                                          \
	{                                                                      \
		.leaf = HYPERV_CPUID_ENLIGHTMENT_INFO, .regs = { __VA_ARGS__ } \
	}
