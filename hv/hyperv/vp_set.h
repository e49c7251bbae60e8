/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sets of VPs as hypercalls have them. Pure.
 *
 * Spec: TLFS "Virtual Processor Sets", "Sparse Virtual Processor Set".
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/vp/vp_mask.h"
#include "hv/hyperv/hyperv_abi.h"

struct hcall;

/*
 * hyperv_vp_set_is_empty() - no bank at all. Then a call does nothing and succeeds, whatever else
 * is in its input, as on KVM.
 */
static inline bool hyperv_vp_set_is_empty(const struct hv_vpset *set)
{
	return set->format == HV_GENERIC_SET_SPARSE_4K && set->valid_bank_mask == 0;
}

/**
 * hyperv_vp_set_read() - the VPs of @set, whose banks are the variable header of @hc. Indices that
 * no VP can have are left out.
 *
 * Returns HV_STATUS_SUCCESS; HV_STATUS_INVALID_HYPERCALL_INPUT: the header is not one word for each
 * bit of the bank mask, which must fit for all formats, as on KVM; HV_STATUS_INVALID_PARAMETER: no
 * such format. *@out is written only on success.
 */
MUST_CHECK u16 hyperv_vp_set_read(const struct hv_vpset *set, const struct hcall *hc,
				  struct vp_mask *out);
