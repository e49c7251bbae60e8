/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The word that says whether the guest owes an EOI.
 *
 * Spec: Linux Documentation/virt/kvm/x86/msr.rst "MSR_KVM_PV_EOI_EN"; TLFS "No EOI Required".
 */
#include "core/apic/lazy_eoi.h"

#include "core/apic/vlapic_internal.h"
#include "core/partition.h"

#define WORD_BYTES 4u
#define NO_EOI     1u /* bit 0: the guest need not write the EOI register */

err_t lazy_eoi_enable(struct vp *vp, u64 gpa)
{
	struct shared_area word = { 0 };

	TRY(shared_area_set(vp->partition, &word, gpa, WORD_BYTES));
	lazy_eoi_disable(vp);
	vp->apic.lazy_word = word;
	vp->apic.lazy_eoi = true;
	return ERR_NONE;
}

void lazy_eoi_disable(struct vp *vp)
{
	lazy_eoi_sync(vp);
	shared_area_clear(&vp->apic.lazy_word);
	vp->apic.lazy_eoi = false;
}

void lazy_eoi_arm(struct vp *vp, u8 vector)
{
	struct vlapic *a = &vp->apic;

	/* Something waits behind it, or its EOI is more than ours. */
	if (!a->lazy_eoi || a->vid || a->highest_irr >= 0 || vp->fwd.eoi_count != 0 ||
	    irq_fwd_extint_pending(vp) ||
	    (*vlapic_bitmap(a, APIC_TMR, vector) & BIT32(vector & 31)))
		return;
	/* The CPU would answer reads of the bits in service without asking. */
	if (vp->partition->machine.apic_register_virt || !shared_area_is_live(&a->lazy_word))
		return;
	shared_write8(&a->lazy_word, 0, NO_EOI);
	a->lazy_vector = vector;
	a->lazy_armed = true;
	a->highest_isr = -1;
	COUNT(vp, LAZY_EOI_ARMED);
}

void lazy_eoi_sync(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	if (!a->lazy_armed)
		return;
	a->lazy_armed = false;
	a->highest_isr = a->lazy_vector;
	if ((shared_read8(&a->lazy_word, 0) & NO_EOI) != 0) { /* it will write the register */
		shared_write8(&a->lazy_word, 0, 0);
		return;
	}
	COUNT(vp, LAZY_EOI);
	vlapic_eoi(vp);
}

void lazy_eoi_forget(struct vp *vp)
{
	if (vp->apic.lazy_armed)
		shared_write8(&vp->apic.lazy_word, 0, 0);
	vp->apic.lazy_armed = false;
}

void lazy_eoi_map_changed(struct vp *vp)
{
	shared_area_recheck(vp->partition, &vp->apic.lazy_word);
}
