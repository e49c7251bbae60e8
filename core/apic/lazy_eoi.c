/* SPDX-License-Identifier: BSD-2-Clause */
/* The word that says whether the guest owes an EOI. */
#include "core/apic/lazy_eoi.h"

#include "core/apic/vlapic_internal.h"
#include "core/partition.h"

#define WORD_BYTES 4u

static bool is_own(const struct shared_area *word)
{
	return !shared_area_is_registered(word) && shared_area_is_live(word);
}

static bool is_offered(const struct shared_area *word)
{
	return shared_area_is_registered(word) || shared_area_is_live(word);
}

static void move(struct partition *p, struct shared_area *to, struct shared_area *from)
{
	if (is_own(from))
		shared_area_set_own(to, from->mem);
	else
		(void)!shared_area_set(p, to, from->gpa, from->len); /* live or not, as before */
	shared_area_clear(p, from);
}

/*
 * Where the CPU delivers interrupts an EOI by the APIC's register needs no exit, and the guest no
 * word. An EOI by a synthetic MSR always exits: then delivery is ours.
 */
static void update(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	bool ours = is_own(&a->lazy_word) && a->lazy_own_by_msr;
	bool use =
		ours || (is_offered(&a->lazy_word) && !vp->partition->machine.virt_intr_delivery);

	if (a->lazy_eoi == use && a->lazy_not_cpu == ours)
		return;
	a->lazy_eoi = use;
	a->lazy_not_cpu = ours;
	vlapic_mode_changed(vp);
}

/* Take back the word of ours, or that in the guest's RAM, wherever it is. */
static void take_back(struct vp *vp, bool own)
{
	struct vlapic *a = &vp->apic;

	lazy_eoi_sync(vp);
	if (is_offered(&a->lazy_other) && is_own(&a->lazy_other) == own) {
		shared_area_clear(vp->partition, &a->lazy_other);
	} else if (is_own(&a->lazy_word) == own) {
		shared_area_clear(vp->partition, &a->lazy_word);
		if (is_offered(&a->lazy_other))
			move(vp->partition, &a->lazy_word, &a->lazy_other);
	}
	update(vp);
}

/* After that there is room for a new one of the same kind. */
static void make_way(struct vp *vp, bool own)
{
	struct vlapic *a = &vp->apic;

	take_back(vp, own);
	if (is_offered(&a->lazy_word))
		move(vp->partition, &a->lazy_other, &a->lazy_word);
}

err_t lazy_eoi_enable(struct vp *vp, u64 gpa)
{
	if (!shared_area_would_be_live(vp->partition, gpa, WORD_BYTES))
		return ERR_FAULT;
	make_way(vp, false);
	/* If the map changes meanwhile the word is live when it changes back. */
	(void)!shared_area_set(vp->partition, &vp->apic.lazy_word, gpa, WORD_BYTES);
	update(vp);
	return ERR_NONE;
}

void lazy_eoi_enable_own(struct vp *vp, u8 *word, bool by_msr)
{
	make_way(vp, true);
	vp->apic.lazy_own_by_msr = by_msr;
	shared_area_set_own(&vp->apic.lazy_word, word);
	shared_write32(&vp->apic.lazy_word, 0, 0);
	update(vp);
}

void lazy_eoi_disable(struct vp *vp)
{
	take_back(vp, false);
}

void lazy_eoi_disable_own(struct vp *vp)
{
	take_back(vp, true);
}

void lazy_eoi_not_done(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u32 vector = a->lazy_vector;

	a->highest_isr = (s32)vector;
	if ((shared_read8(&a->lazy_word, 0) & LAZY_EOI_BIT) != 0) { /* it will write the register */
		shared_write8(&a->lazy_word, 0, 0);
		return;
	}
	irq_end(a->page, vector);
	a->highest_isr = vlapic_find_highest(a, APIC_ISR, vector);
	a->isr_many = a->highest_isr >= 0;
	COUNT(vp, LAZY_EOI);
}

void lazy_eoi_forget(struct vp *vp)
{
	if (vp->apic.lazy_armed)
		shared_write8(&vp->apic.lazy_word, 0, 0);
	vp->apic.lazy_armed = false;
}
