/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cluster IPI: HvCallSendSyntheticClusterIpi and its Ex form, one interrupt to many VPs in one
 * exit.
 *
 * Context: caller's CPU.
 * Spec:    TLFS "Virtual Interrupt Control", HvCallSendSyntheticClusterIpi.
 */
#include "core/apic/ipi_set.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/vp_set.h"

/* The word behind the vector: struct hv_send_ipi.reserved */
#define TARGET_VTL GENMASK32(7, 0)
#define RESERVED   GENMASK32(31, 8)

/* There is one VTL, 0. */
static inline u16 check(u32 vector, u32 others)
{
	if ((others & RESERVED) != 0 ||
	    vector - HV_IPI_LOW_VECTOR > HV_IPI_HIGH_VECTOR - HV_IPI_LOW_VECTOR)
		return HV_STATUS_INVALID_HYPERCALL_INPUT;
	return (others & TARGET_VTL) != 0 ? HV_STATUS_INVALID_PARAMETER : HV_STATUS_SUCCESS;
}

/* The words are those of struct hv_send_ipi. */
static u16 send_mask(struct vp *vp, u64 vector_and_vtl, u64 cpu_mask, u64 unused)
{
	u32 vector = (u32)vector_and_vtl;
	u16 status = check(vector, (u32)(vector_and_vtl >> 32));

	if (status != HV_STATUS_SUCCESS)
		return status;
	COUNT(vp, HV_IPI);
	vp->counters.c[COUNTER_HV_IPI_TARGETS] +=
		ipi_send_word(vp, vp->partition->vp, cpu_mask, vector);
	return HV_STATUS_SUCCESS;
}

static u16 send_set(struct vp *vp, struct hcall *hc)
{
	const struct hv_send_ipi_ex *in = hc->in;
	struct vp_mask set;
	u16 status = hyperv_vp_set_read(&in->vp_set, hc, &set);

	if (status != HV_STATUS_SUCCESS || hyperv_vp_set_is_empty(&in->vp_set))
		return status;
	status = check(in->vector, in->reserved);
	if (status != HV_STATUS_SUCCESS)
		return status;
	COUNT(vp, HV_IPI);
	for (u32 i = 0; i < vp_mask_words(vp->partition); i++)
		vp->counters.c[COUNTER_HV_IPI_TARGETS] +=
			ipi_send_word(vp, vp->partition->vp + 64 * i, set.word[i], in->vector);
	return HV_STATUS_SUCCESS;
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: a fixed interrupt to the VPs of the mask, the caller among them if it is in it |
	 * 0; 3: a vector below 0x10 or above 0xFF, or a reserved bit; 5: a VTL other than 0
	 */
	{ .nr = HVCALL_SEND_IPI,
	  .kind = HCALL_SIMPLE,
	  .name = "SendSyntheticClusterIpi",
	  .words = send_mask,
	  .in_size = sizeof(struct hv_send_ipi),
	  .fast = true },
	/*
	 * Manual: SendSyntheticClusterIpi for a sparse set of VPs | the same; 0 for an empty set,
	 * even with a bad vector; 3: the variable header is not one word per bank; 5: an unknown
	 * format of the set
	 */
	{ .nr = HVCALL_SEND_IPI_EX,
	  .kind = HCALL_SIMPLE,
	  .name = "SendSyntheticClusterIpiEx",
	  .mem = send_set,
	  .in_size = sizeof(struct hv_send_ipi_ex),
	  .variable_header = true,
	  .fast = true },
};

/* Manual: hypercalls that interrupt many VPs */
const struct hv_feature hv_ipi_feature = {
	.name = "hv-ipi",
	.help = "interrupt many CPUs by one hypercall",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.needs = BIT64(FEATURE_HV_VPINDEX),
	.bits = { HV_HINT_WITH_SETS(HV_X64_CLUSTER_IPI_RECOMMENDED) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
