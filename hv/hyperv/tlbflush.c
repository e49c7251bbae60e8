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

/* Most guests have at most 64 VPs, and one word names them. */
static void flush_all(struct vp *vp)
{
	struct vp_mask set;

	if (likely(vp->partition->vp_count <= 64))
		return tlb_flush_first(vp, ~0ull);
	vp_mask_set_all(&set);
	tlb_flush(vp, &set);
}

/*
 * SPEC-GAP: a mask of 0 without HV_FLUSH_ALL_PROCESSORS is an error in the TLFS, but Windows Server
 * 2012 means all VPs by it, and gets them on KVM.
 */
static u16 flush_mask(struct vp *vp, u64 address_space, u64 flags, u64 processor_mask)
{
	if ((flags & ~known_flags(vp->partition)) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	COUNT(vp, HV_FLUSH);
	if ((flags & HV_FLUSH_ALL_PROCESSORS) != 0 || processor_mask == 0)
		flush_all(vp);
	else
		tlb_flush_first(vp, processor_mask);
	return HV_STATUS_SUCCESS;
}

/* The list needs no reading: all of it is done, or nothing. */
static u16 with_list(struct hcall *hc, u16 status)
{
	if (status == HV_STATUS_SUCCESS)
		hc->done = hc->count;
	return status;
}

static u16 flush_list(struct vp *vp, struct hcall *hc)
{
	const struct hv_tlb_flush *in = hc->in;

	return with_list(hc, flush_mask(vp, in->address_space, in->flags, in->processor_mask));
}

static u16 flush_set(struct vp *vp, struct hcall *hc)
{
	const struct hv_tlb_flush_ex *in = hc->in;
	struct vp_mask set;
	u16 status = hyperv_vp_set_read(&in->hv_vp_set, hc, &set);

	if (status != HV_STATUS_SUCCESS)
		return status;
	if ((in->flags & ~known_flags(vp->partition)) != 0)
		return HV_STATUS_INVALID_PARAMETER;
	COUNT(vp, HV_FLUSH);
	if ((in->flags & HV_FLUSH_ALL_PROCESSORS) != 0)
		flush_all(vp);
	else
		tlb_flush(vp, &set);
	return with_list(hc, HV_STATUS_SUCCESS);
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
	  .words = flush_mask,
	  .in_size = sizeof(struct hv_tlb_flush),
	  .fast = true },
	/* Manual: FlushVirtualAddressSpace; the list does not matter | the same, and all elements
	 * done */
	{ .nr = HVCALL_FLUSH_VIRTUAL_ADDRESS_LIST,
	  .kind = HCALL_REP,
	  .name = "FlushVirtualAddressList",
	  .mem = flush_list,
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
