/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One interrupt to each VP of a set, for hypercalls. Inline: what they cost is the loop. Pure.
 * Context: sender's CPU, VMX root.
 */
#pragma once

#include "arch/x86/defs/vector.h"
#include "core/apic/vlapic.h"
#include "core/lib/bits.h"
#include "core/vp/vp.h"

/* A fixed interrupt, edge: what guests send. */
static inline bool ipi_is_plain(u32 icr)
{
	return (icr & ~(APIC_ICR_VECTOR | APIC_ICR_ASSERT)) == 0 &&
	       (icr & APIC_ICR_VECTOR) >= VECTOR_MIN_APIC;
}

/**
 * ipi_send_word() - as vlapic_send(), to @table[i] for each bit i of @bits. NULL: nobody. Returns
 * how many took it.
 */
static inline u32 ipi_send_word(struct vp *vp, struct vp *const *table, u64 bits, u32 icr)
{
	bool plain = ipi_is_plain(icr);
	u32 sent = 0;

	for (; bits != 0; bits &= bits - 1) {
		struct vp *target = table[__builtin_ctzll(bits)];

		if (target == NULL)
			continue;
		if (likely(plain && target != vp && vlapic_accepts_fixed(&target->apic))) {
			vlapic_post_irq(target, (u8)icr);
			sent++;
		} else {
			sent += vlapic_send(vp, target, icr);
		}
	}
	return sent;
}
