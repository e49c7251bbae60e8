/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Remote TLB flush: HvFlushVirtualAddressSpace, HvFlushVirtualAddressList and their Ex forms. The
 * VPs named lose all that they have cached, whatever the address space, the list and the flags for
 * less: core/vp/tlb_flush.h says why. So the ranges need no reading, in either format, and a list
 * of any length takes as long as no list.
 *
 * Context: caller's CPU.
 * Spec:    TLFS "Virtual MMU and Caching", HvFlushVirtualAddressSpace.
 */
#include "core/vp/tlb_flush.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/vp_set.h"

static u64 known_flags(const struct partition *p)
{
	u64 flags = HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_VIRTUAL_ADDRESS_SPACES |
		    HV_FLUSH_NON_GLOBAL_MAPPINGS_ONLY;

	return hv_has(p, FEATURE_HV_TLBFLUSH_EXT) ? flags | HV_FLUSH_USE_EXTENDED_RANGE_FORMAT
						  : flags;
}

static u16 flush(struct vp *vp, struct hcall *hc, u64 flags, struct vp_mask *set)
{
	if ((flags & ~known_flags(vp->partition)) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	if ((flags & HV_FLUSH_ALL_PROCESSORS) != 0)
		vp_mask_set_all(set);
	COUNT(vp, HV_FLUSH);
	tlb_flush(vp, set);
	hc->done = hc->count;
	return HV_STATUS_SUCCESS;
}

/*
 * SPEC-GAP: a mask of 0 without HV_FLUSH_ALL_PROCESSORS is an error in the TLFS, but Windows Server
 * 2012 means all VPs by it, and gets them on KVM.
 */
static u16 flush_mask(struct vp *vp, struct hcall *hc)
{
	const struct hv_tlb_flush *in = hc->in;
	struct vp_mask set = { { in->processor_mask } };

	if (in->processor_mask == 0)
		vp_mask_set_all(&set);
	return flush(vp, hc, in->flags, &set);
}

static u16 flush_set(struct vp *vp, struct hcall *hc)
{
	const struct hv_tlb_flush_ex *in = hc->in;
	struct vp_mask set;
	u16 status = hyperv_vp_set_read(&in->hv_vp_set, hc, &set);

	return status != HV_STATUS_SUCCESS ? status : flush(vp, hc, in->flags, &set);
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: the VPs of the mask flush their TLBs before their next instruction; all VPs with
	 * the flag HV_FLUSH_ALL_PROCESSORS, or without a mask. The address space does not matter
	 * | 0; 5: an unknown flag
	 */
	{ .nr = HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE,
	  .kind = HCALL_SIMPLE,
	  .name = "FlushVirtualAddressSpace",
	  .mem = flush_mask,
	  .in_size = sizeof(struct hv_tlb_flush),
	  .fast = true },
	/* Manual: FlushVirtualAddressSpace; the list does not matter | the same, and all elements
	 * done */
	{ .nr = HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST,
	  .kind = HCALL_REP,
	  .name = "FlushVirtualAddressList",
	  .mem = flush_mask,
	  .in_size = sizeof(struct hv_tlb_flush),
	  .rep_in_size = sizeof(u64),
	  .fast = true },
	/*
	 * Manual: FlushVirtualAddressSpace for a sparse set of VPs; an empty one is nobody | 0; 3:
	 * the variable header is not one word per bank; 5: an unknown flag or format of the set
	 */
	{ .nr = HVCALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX,
	  .kind = HCALL_SIMPLE,
	  .name = "FlushVirtualAddressSpaceEx",
	  .mem = flush_set,
	  .in_size = sizeof(struct hv_tlb_flush_ex),
	  .variable_header = true,
	  .fast = true },
	/* Manual: FlushVirtualAddressSpaceEx; the list does not matter | the same, and all elements
	 * done */
	{ .nr = HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,
	  .kind = HCALL_REP,
	  .name = "FlushVirtualAddressListEx",
	  .mem = flush_set,
	  .in_size = sizeof(struct hv_tlb_flush_ex),
	  .rep_in_size = sizeof(u64),
	  .variable_header = true,
	  .fast = true },
};

/*
 * Manual: hypercalls that flush the TLBs of other VPs. A VP that sleeps or is held gets no IPI and
 * flushes when it runs again
 */
const struct hv_feature hv_tlbflush_feature = {
	.name = "hv-tlbflush",
	.help = "flush TLBs of other CPUs by hypercall",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_VPINDEX),
	.bits = { HV_HINT_WITH_SETS(HV_X64_REMOTE_TLB_FLUSH_RECOMMENDED) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
