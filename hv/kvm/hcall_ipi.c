/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * SEND_IPI: one interrupt to up to 128 VPs in one exit. Context: caller's CPU.
 */
#include "core/apic/vlapic.h"
#include "hv/kvm/kvm_internal.h"

/* Returns how many of the VPs @first + i, for each bit i of @bits, took it. */
static u32 send(struct vp *vp, u64 bits, u64 first, u32 icr)
{
	u32 sent = 0;

	for (; bits != 0; bits &= bits - 1) {
		u64 id = first + (u32)__builtin_ctzll(bits);
		struct vp *target;

		if (id > 0xffffffff)
			break;
		target = partition_vp_by_apic_id(vp->partition, (u32)id);
		if (target != NULL && vlapic_send(vp, target, icr))
			sent++;
	}
	return sent;
}

/*
 * Arguments: two words of a bitmap of APIC IDs, the ID of bit 0, the low half of an ICR: vector,
 * delivery mode, level and trigger mode count. A 32-bit caller's words have 32 bits each.
 */
s64 kvm_hc_send_ipi(struct vp *vp, const u64 args[4])
{
	u32 icr = (u32)args[3];
	u32 word_bits = vp_is_long64(vp) ? 64 : 32;
	u32 sent;

	COUNT(vp, KVM_SEND_IPI);
	if ((icr & (APIC_ICR_LOGICAL | APIC_ICR_SHORTHAND)) != 0)
		return -KVM_EINVAL;
	sent = send(vp, args[0], (u32)args[2], icr) +
	       send(vp, args[1], (u64)(u32)args[2] + word_bits, icr);
	vp->counters.c[COUNTER_KVM_SEND_IPI_TARGETS] += sent;
	return sent;
}
