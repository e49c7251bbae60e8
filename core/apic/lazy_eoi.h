/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy EOI: the guest ends an interrupt by clearing a bit of a shared word instead of writing the
 * EOI register, which would exit. The ABI that offers it says where the word is: in the guest's
 * RAM, or on a page of ours. If both are offered the one enabled last is used, and when that ends
 * the other: a guest that looks at the word not in use finds no bit set, and writes the register.
 *
 * When we inject and nothing else waits, bit 0 of the word is set: "armed". The guest tests and
 * clears it; if it was set, no EOI is owed. So while armed, our ISR may be stale: call
 * lazy_eoi_sync() before using it. highest_isr = -1 sends the slow paths there. Never armed for a
 * level-triggered vector, whose EOI must reach the I/O APIC, nor while the CPU itself delivers
 * interrupts. The guest's reads of the ISR exit.
 *
 * Context: VP's own CPU, root.
 */
#pragma once

#include "core/apic/irq_bits.h"
#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/vp/vp.h"

/* Bit 0 of the word: the guest need not write the EOI register. */
#define LAZY_EOI_BIT 1u

/**
 * lazy_eoi_enable() - use the 4-byte aligned word at @gpa instead of any other. ERR_FAULT: not the
 * guest's RAM; nothing changes then.
 */
MUST_CHECK err_t lazy_eoi_enable(struct vp *vp, u64 gpa);

/**
 * lazy_eoi_enable_own() - use @word, aligned, on a page of ours; clears it. @by_msr: the guest's
 * other EOI is a synthetic MSR; then the CPU does not deliver this VP's interrupts meanwhile.
 */
void lazy_eoi_enable_own(struct vp *vp, u8 *word, bool by_msr);

/* lazy_eoi_disable(), lazy_eoi_disable_own() - take the word back; bit 0 is clear then. */
void lazy_eoi_disable(struct vp *vp);
void lazy_eoi_disable_own(struct vp *vp);

/**
 * lazy_eoi_arm() - @vector was just injected and is the highest in service, and nothing waits
 * behind it; vlapic.lazy_eoi is set. Inline: every interrupt comes through here.
 */
static inline void lazy_eoi_arm(struct vp *vp, u32 vector)
{
	struct vlapic *a = &vp->apic;
	u8 *word = READ_ONCE(a->lazy_word.mem);

	/* Non-zero while any level-triggered vector has not ended. */
	if (vp->fwd.eoi_count != 0 || word == NULL)
		return;
	WRITE_ONCE(*word, LAZY_EOI_BIT);
	a->lazy_vector = vector;
	a->lazy_armed = true;
	a->highest_isr = -1;
}

/* lazy_eoi_not_done() - slow half of lazy_eoi_sync(): the guest still owes the EOI, or other
 * vectors are in service. */
void lazy_eoi_not_done(struct vp *vp);

/**
 * lazy_eoi_sync() - find out whether the guest ended the armed interrupt, and disarm. The caller
 * then looks for what may be delivered now. Does what vlapic_eoi() does for an edge-triggered
 * vector that nothing waits behind.
 */
static inline void lazy_eoi_sync(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u32 vector = a->lazy_vector;

	if (!a->lazy_armed)
		return;
	a->lazy_armed = false;
	if (unlikely(a->isr_many) || (shared_read8(&a->lazy_word, 0) & LAZY_EOI_BIT) != 0)
		return lazy_eoi_not_done(vp);
	irq_end(a->page, vector);
	COUNT(vp, LAZY_EOI);
}

/* lazy_eoi_forget() - the ISR was cleared: clear the word, too. */
void lazy_eoi_forget(struct vp *vp);
