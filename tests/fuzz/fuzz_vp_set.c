/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: sparse sets of VPs. The input is a format, a mask of banks and the variable header, of
 * any size that a control word can give. A model that asks for each of the 4096 VPs says who is in
 * the set; a read behind the header is a crash.
 */
#include <stdlib.h>
#include <string.h>

#include "hv/hcall_mem.h"
#include "hv/hyperv/vp_set.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The bank of a VP is preceded by one for each lower bit of the mask. */
static bool is_member(const struct hv_vpset *set, const u64 *banks, u32 vp)
{
	u64 below = set->valid_bank_mask & (BIT64(vp / 64) - 1);

	if (set->format == HV_GENERIC_SET_ALL)
		return true;
	return (set->valid_bank_mask >> vp / 64 & 1) != 0 &&
	       (banks[__builtin_popcountll(below)] >> vp % 64 & 1) != 0;
}

static void check(const struct hv_vpset *set, const u64 *banks, u32 words)
{
	const struct hcall hc = { .var = banks, .var_bytes = words * 8 };
	bool fits = words == (u32)__builtin_popcountll(set->valid_bank_mask);
	struct vp_mask got;
	u16 status = hyperv_vp_set_read(set, &hc, &got);

	if (!fits) {
		must(status == HV_STATUS_INVALID_HYPERCALL_INPUT);
	} else if (set->format > HV_GENERIC_SET_ALL) {
		must(status == HV_STATUS_INVALID_PARAMETER);
	} else {
		must(status == HV_STATUS_SUCCESS);
		for (u32 vp = 0; vp < VP_MAX; vp++)
			must(((got.word[vp / 64] >> vp % 64 & 1) != 0) ==
			     is_member(set, banks, vp));
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct hv_vpset set;
	u32 words;
	u64 *banks;

	if (size < sizeof(set))
		return 0;
	memcpy(&set, data, sizeof(set));
	words = (u32)(size - sizeof(set)) / 8;
	banks = malloc(words * 8 + (words == 0)); /* its end is the end */
	must(banks != NULL);
	memcpy(banks, data + sizeof(set), words * 8);
	check(&set, banks, words);
	/* Usually the size does not fit: take as many banks as there are words, too. */
	while ((u32)__builtin_popcountll(set.valid_bank_mask) > words)
		set.valid_bank_mask &= set.valid_bank_mask - 1;
	set.format %= 3;
	check(&set, banks, words);
	free(banks);
	return 0;
}
