/* SPDX-License-Identifier: BSD-2-Clause */
/* The word that says whether the guest owes an EOI. */
#include "core/apic/lazy_eoi.h"

#include "core/apic/vlapic_internal.h"
#include "core/partition.h"

#define WORD_BYTES 4u

err_t lazy_eoi_enable(struct vp *vp, u64 gpa)
{
	if (!shared_area_would_be_live(vp->partition, gpa, WORD_BYTES))
		return ERR_FAULT;
	lazy_eoi_disable(vp);
	TRY(shared_area_set(vp->partition, &vp->apic.lazy_word, gpa, WORD_BYTES));
	/* With register virtualization the guest reads the ISR without an exit, and would see it
	 * stale. */
	vp->apic.lazy_eoi = !vp->partition->machine.apic_register_virt;
	return ERR_NONE;
}

void lazy_eoi_disable(struct vp *vp)
{
	lazy_eoi_sync(vp);
	shared_area_clear(vp->partition, &vp->apic.lazy_word);
	vp->apic.lazy_eoi = false;
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
