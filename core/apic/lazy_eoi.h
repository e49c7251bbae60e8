/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lazy EOI: the guest ends an interrupt by clearing a bit of a shared word instead of writing the
 * EOI register, which would exit. KVM calls it PV EOI, the TLFS "No EOI Required".
 *
 * At an injection that nothing waits behind, bit 0 of the word is set: "armed". The guest tests and
 * clears it; when it was set, it owes no EOI. Find out what it did before anything here uses the
 * bits in service: while armed, vlapic.highest_isr is -1 and the slow paths call
 * lazy_eoi_sync(). Never armed on level-triggered vectors, whose EOI must reach the I/O APIC, nor
 * while the CPU delivers or reads the bits in service by itself.
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
 * lazy_eoi_enable() - the word is at @gpa, 4 bytes aligned. ERR_FAULT: not the guest's RAM; nothing
 * changes then. Replaces what was enabled before.
 */
MUST_CHECK err_t lazy_eoi_enable(struct vp *vp, u64 gpa);

/* lazy_eoi_disable() - what is armed is looked up first. */
void lazy_eoi_disable(struct vp *vp);

/**
 * lazy_eoi_arm() - @vector was just injected and is the highest in service, and nothing waits
 * behind it; vlapic.lazy_eoi is set. Inline: every interrupt comes through here.
 */
static inline void lazy_eoi_arm(struct vp *vp, u32 vector)
{
	struct vlapic *a = &vp->apic;
	u8 *word = READ_ONCE(a->lazy_word.mem);

	/* Every level-triggered vector that is not ended yet counts there. */
	if (vp->fwd.eoi_count != 0 || word == NULL)
		return;
	WRITE_ONCE(*word, LAZY_EOI_BIT);
	a->lazy_vector = vector;
	a->lazy_armed = true;
	a->highest_isr = -1;
}

/* lazy_eoi_not_done() - the guest has not ended it, or other vectors are in service, too. */
void lazy_eoi_not_done(struct vp *vp);

/**
 * lazy_eoi_sync() - learn whether the guest ended the armed interrupt; nothing is armed then. The
 * caller looks for what may be delivered now. The EOI is that of vlapic_eoi() for an edge-triggered
 * vector behind which nothing waited.
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

/* lazy_eoi_forget() - the bits in service were all cleared: so is the word. */
void lazy_eoi_forget(struct vp *vp);

/* lazy_eoi_map_changed() - check the address of @vp again. Any CPU. */
void lazy_eoi_map_changed(struct vp *vp);
