/* SPDX-License-Identifier: BSD-2-Clause */
/* Between hv.c and vmcall.c. */
#pragma once

#include "hv/hv.h"

#define HV_ABIS_MAX 4u

/* vmcall_register() - the @n ABIs that are on; sets the row of the VMCALL exit. */
void vmcall_register(const struct partition *p, const struct hv_abi *const *live, u32 n);
