/* SPDX-License-Identifier: BSD-2-Clause */
/* See vp_set.h. Pure. */
#include "hv/hyperv/vp_set.h"

#include "hv/hcall_mem.h"

static u32 count_banks(u64 valid)
{
	u32 n = 0;

	for (; valid != 0; valid &= valid - 1)
		n++;
	return n;
}

/* Bank k is the word of the k-th bit that is set in the mask. */
static void read_banks(u64 valid, const u64 *bank, struct vp_mask *out)
{
	*out = (struct vp_mask){ { 0 } };
	for (; valid != 0; valid &= valid - 1, bank++) {
		u32 word = (u32)__builtin_ctzll(valid);

		if (word < VP_MASK_WORDS)
			out->word[word] = *bank;
	}
}

u16 hyperv_vp_set_read(const struct hv_vpset *set, const struct hcall *hc, struct vp_mask *out)
{
	if (hc->var_bytes != count_banks(set->valid_bank_mask) * sizeof(u64))
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	switch (set->format) {
	case HV_GENERIC_SET_SPARSE_4K:
		read_banks(set->valid_bank_mask, hc->var, out);
		return HV_STATUS_SUCCESS;
	case HV_GENERIC_SET_ALL:
		vp_mask_set_all(out);
		return HV_STATUS_SUCCESS;
	default:
		return HV_STATUS_INVALID_PARAMETER;
	}
}
