/* SPDX-License-Identifier: BSD-2-Clause */
/* The list of paravirtual ABIs. Context: none, data only. */
#include "core/lib/bits.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"

const struct hv_module *const hv_modules[] = {
	[HV_MODULE_KVM] = &kvm_module,
	[HV_MODULE_COUNT] = NULL,
};
