/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PV IPI: SEND_IPI, one interrupt to up to 128 VPs in one exit. Context: caller's CPU.
 */
#include "core/apic/ipi_set.h"
#include "hv/kvm/kvm_internal.h"

/* IDs that the partition's table does not have. */
static NOINLINE u32 send_far_word(struct vp *vp, u64 bits, u64 first, u32 icr)
{
	u32 sent = 0;

	for (; bits != 0; bits &= bits - 1) {
		u64 id = first + (u32)__builtin_ctzll(bits);
		struct vp *target;

		if (id > 0xffffffff)
			break;
		target = partition_vp_by_apic_id(vp->partition, (u32)id);
		if (target != NULL)
			sent += vlapic_send(vp, target, icr);
	}
	return sent;
}

/* Returns how many of the VPs @first + i, for each bit i of @bits, took it. */
static inline u32 send_word(struct vp *vp, u64 bits, u64 first, u32 icr)
{
	if (unlikely(first + 64 > APIC_IDS_DIRECT))
		return send_far_word(vp, bits, first, icr);
	return ipi_send_word(vp, vp->partition->vp_of_apic_id + first, bits, icr);
}

/*
 * @low, @high: two words of a bitmap of APIC IDs, @first the ID of bit 0, @icr_low the low half of
 * an ICR: vector, delivery mode, level and trigger mode count. A 32-bit caller's words have 32 bits
 * each.
 */
static s64 send_ipi(struct vp *vp, u64 low, u64 high, u64 first, u64 icr_low)
{
	u32 icr = (u32)icr_low;
	u32 word_bits = vp_is_long64(vp) ? 64 : 32;
	u32 sent;

	COUNT(vp, KVM_SEND_IPI);
	if ((icr & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND)) != 0)
		return -KVM_EINVAL;
	sent = send_word(vp, low, (u32)first, icr) +
	       send_word(vp, high, (u64)(u32)first + word_bits, icr);
	vp->counters.c[COUNTER_KVM_SEND_IPI_TARGETS] += sent;
	return sent;
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: one interrupt, of any delivery mode, to each VP whose APIC ID is in the bitmap:
	 * two words, starting at the third argument (128 IDs; 64 for a 32-bit caller) | how many
	 * took it; -KVM_EINVAL: logical destination or shorthand
	 */
	{ .nr = KVM_HC_SEND_IPI, .name = "SEND_IPI", .reg = send_ipi },
};

/* Manual: SEND_IPI: one exit for many IPIs */
const struct hv_feature kvm_pv_ipi_feature = {
	.name = "kvm-pv-ipi",
	.help = "many IPIs by one hypercall",
	.abi = &kvm_abi,
	.bits = { KVM_BITS(.a = KVM_FEATURE_PV_SEND_IPI) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
