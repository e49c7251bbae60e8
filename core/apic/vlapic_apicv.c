/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCS controls and MSR bitmap of one VP, by the mode of its virtual APIC. Pure.
 *
 * Spec: SDM Vol. 3C, "APIC Virtualization and Virtual Interrupts".
 */
#include "core/apic/lazy_eoi.h"
#include "core/apic/vlapic_internal.h"
#include "core/hw.h"
#include "core/partition.h"

/* Registers whose RDMSR the CPU answers right from the virtual-APIC page. */
static bool is_virtual_read(const struct vlapic *a, u32 msr)
{
	u32 reg = (msr & 0xff) << 4;

	/* TMCCT and PPR change under the page, lazy EOIs leave the ISR stale; rule I6: IRR reads
	 * include the physical IRR. */
	if (reg == APIC_TMCCT || reg == APIC_PPR || (reg >= APIC_IRR && reg < APIC_ESR))
		return false;
	if (reg >= APIC_ISR && reg < APIC_TMR && a->lazy_eoi)
		return false;
	return vlapic_x2apic_is_readable(a, reg); /* else #GP: the CPU would read the page */
}

/* While the CPU delivers interrupts, EOIs and self-IPIs need no exit. */
static void x2apic_delivery_bitmap(struct vp *vp)
{
	bool exits =
		!vp->apic.vid || (vp->ctx->word[CTX_PROC2] & PROC2_VIRTUALIZE_X2APIC_MODE) == 0;

	msr_bitmap_intercept(vp->ctx->msr_bitmap, X2APIC_MSR(APIC_EOI), true, exits);
	msr_bitmap_intercept(vp->ctx->msr_bitmap, X2APIC_MSR(APIC_SELF_IPI), true, exits);
}

static void x2apic_bitmap(struct vp *vp, bool virtual)
{
	const struct vlapic *a = &vp->apic;
	bool reads = virtual && vp->partition->machine.apic_register_virt;

	for (u32 msr = MSR_IA32_X2APIC_FIRST; msr <= MSR_IA32_X2APIC_LAST; msr++)
		msr_bitmap_intercept(vp->ctx->msr_bitmap, msr, !(reads && is_virtual_read(a, msr)),
				     true);
	if (virtual)
		msr_bitmap_intercept(vp->ctx->msr_bitmap, X2APIC_MSR(APIC_TPR), false, false);
	x2apic_delivery_bitmap(vp);
}

void vlapic_ctx_changed(struct vp *vp)
{
	if (!vp->apic.xapic_virt && !vlapic_is_x2apic(&vp->apic)) /* a vector was held meanwhile */
		ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_APIC_REGISTER_VIRT, false);
	if (!vp->apic.vid)
		return;
	ctx_set(vp->ctx, CTX_TPR_THRESHOLD, 0);
	irq_fwd_set_eoi_exits(vp);
	vlapic_sync_status(&vp->apic);
}

/* Virtual-interrupt delivery: the bitmaps are handed to the CPU, or taken back into our caches. */
static void set_vid(struct vp *vp, bool on)
{
	struct vlapic *a = &vp->apic;

	lazy_eoi_sync(vp);
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_VIRTUAL_INTR_DELIVERY, on);
	a->vid = on;
	a->highest_isr = on ? -1 : vlapic_find_highest(a, APIC_ISR, VECTOR_COUNT - 1);
	a->highest_irr = on ? -1 : vlapic_find_highest(a, APIC_IRR, VECTOR_COUNT - 1);
	a->isr_many = a->highest_isr >= 0;
	a->irr_many = a->highest_irr >= 0 || a->auto_eoi;
	vlapic_enable_changed(vp);
	x2apic_delivery_bitmap(vp);
	vlapic_ctx_changed(vp); /* vectors accepted meanwhile did not set it */
	vp_set_work(vp, VP_WORK_EVENT);
}

/* The one place that decides who delivers. */
static void set_reasons(struct vp *vp, u32 reasons)
{
	struct vlapic *a = &vp->apic;

	a->apicv_inhibit = reasons;
	if (a->vid == (reasons == 0))
		return;
	set_vid(vp, reasons == 0);
	COUNT(vp, APICV_SWITCH);
	TRACE(vp, APICV_INHIBIT, reasons, hw_vmread(VMCS_GUEST_INTERRUPT_STATUS), 0);
}

void vlapic_apicv_inhibit(struct vp *vp, u32 reasons)
{
	set_reasons(vp, vp->apic.apicv_inhibit | reasons);
}

void vlapic_apicv_uninhibit(struct vp *vp, u32 reasons)
{
	set_reasons(vp, vp->apic.apicv_inhibit & ~reasons);
}

void vlapic_set_auto_eoi(struct vp *vp, const u32 vectors[8])
{
	struct vlapic *a = &vp->apic;
	u32 any = 0;

	for (u32 i = 0; i < ARRAY_SIZE(a->auto_eoi_vectors); i++) {
		a->auto_eoi_vectors[i] = vectors[i];
		any |= vectors[i];
	}
	a->auto_eoi = any != 0;
	a->irr_many |= a->auto_eoi; /* event.c takes the long way */
	if (a->auto_eoi)
		vlapic_apicv_inhibit(vp, APICV_INHIBIT_REASON_HYPERV);
	else
		vlapic_apicv_uninhibit(vp, APICV_INHIBIT_REASON_HYPERV);
}

/* The reasons that follow from the machine and the APIC's own state. */
static void update_reasons(struct vp *vp)
{
	const struct vlapic *a = &vp->apic;
	u32 reasons = a->apicv_inhibit &
		      ~(APICV_INHIBIT_REASON_DISABLED | APICV_INHIBIT_REASON_ABSENT |
			APICV_INHIBIT_REASON_SW_DISABLED | APICV_INHIBIT_REASON_LAZY_EOI);

	if (!vp->partition->machine.virt_intr_delivery)
		reasons |= APICV_INHIBIT_REASON_DISABLED;
	if (!vlapic_is_hw_enabled(a))
		reasons |= APICV_INHIBIT_REASON_ABSENT;
	if (!vlapic_is_sw_enabled(a))
		reasons |= APICV_INHIBIT_REASON_SW_DISABLED;
	if (a->lazy_not_cpu)
		reasons |= APICV_INHIBIT_REASON_LAZY_EOI;
	set_reasons(vp, reasons);
}

void vlapic_mode_changed(struct vp *vp)
{
	const struct machine *m = &vp->partition->machine;
	bool enabled = vlapic_is_hw_enabled(&vp->apic);
	bool x2apic = enabled && vlapic_is_x2apic(&vp->apic);
	bool xapic = enabled && !x2apic;
	bool virtual_x2apic = x2apic && m->virt_x2apic;

	/* Not where the CPU could not deliver interrupts, too. HW-ERRATUM: there, on Bochs 2.7, the
	 * physical IRR also keeps what comes with IF = 0, without an exit. */
	vp->apic.xapic_virt = m->apic_register_virt && m->virt_intr_delivery && xapic &&
			      !irq_fwd_holds_any(&vp->fwd) && !vp->apic.lazy_not_cpu;
	vp->fwd.may_hold = !vp->apic.xapic_virt;
	ctx_set_bits(vp->ctx, CTX_PROC2,
		     PROC2_VIRTUALIZE_APIC_ACCESSES | PROC2_VIRTUALIZE_X2APIC_MODE, false);
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES, xapic && m->apic_accesses);
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE, virtual_x2apic);
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_APIC_REGISTER_VIRT,
		     vp->apic.xapic_virt || (m->apic_register_virt && virtual_x2apic));
	update_reasons(vp);
	x2apic_bitmap(vp, virtual_x2apic);
}

void vlapic_xapic_reads_exit(struct vp *vp)
{
	vp->apic.xapic_virt = false;
	vp->fwd.may_hold = true;
	ctx_set_bits(vp->ctx, CTX_PROC2, PROC2_APIC_REGISTER_VIRT, false);
}
