/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IA32_APIC_BASE: transitions between disabled, xAPIC and x2APIC mode. The physical LAPIC follows
 * but for "disabled": virtual wire then (rules I7, I8).
 *
 * Context: VP's own CPU, VMX root, its VMCS current.
 * Spec:    SDM Vol. 3A, "Local APIC Status and Location", "x2APIC State Transitions".
 */
#include "arch/x86/defs/msr.h"
#include "core/apic/vlapic_internal.h"
#include "core/hw.h"
#include "core/partition.h"

static bool is_legal_transition(u64 old, u64 val)
{
	bool was_enabled = (old & APIC_BASE_EN) != 0;
	bool was_x2apic = (old & APIC_BASE_EXTD) != 0;
	bool enabled = (val & APIC_BASE_EN) != 0;
	bool x2apic = (val & APIC_BASE_EXTD) != 0;

	if (x2apic && !enabled)
		return false;
	if (was_x2apic)
		return x2apic || !enabled; /* back to xAPIC only through disabled */
	return was_enabled || !x2apic;     /* disabled goes to xAPIC first */
}

static bool has_reserved_bits(const struct partition *p, u64 val)
{
	u64 valid =
		APIC_BASE_BSP | APIC_BASE_EN | (APIC_BASE_ADDR & (BIT64(p->machine.phys_bits) - 1));

	if (p->machine.x2apic)
		valid |= APIC_BASE_EXTD;
	return (val & ~valid) != 0;
}

enum msr_result vlapic_write_base(struct vp *vp, u64 val)
{
	struct vlapic *a = &vp->apic;
	u64 old = a->base_msr;

	if (has_reserved_bits(vp->partition, val) || !is_legal_transition(old, val))
		return MSR_GP;
	val = (val & ~APIC_BASE_BSP) | (old & APIC_BASE_BSP);
	if (val == old)
		return MSR_OK;
	a->base_msr = val;
	TRACE(vp, APIC_BASE, 0, val, 0);

	if (((old ^ val) & APIC_BASE_EN) != 0) {
		/* Either way the registers start anew; nothing physical may stay held (I5). */
		vlapic_clear(vp);
		irq_fwd_drain(vp);
		if ((val & APIC_BASE_EN) != 0)
			irq_fwd_set_xapic(vp);
		irq_fwd_mirror_all(vp);
		vp_set_work(vp, VP_WORK_EVENT);
	} else if (((old ^ val) & APIC_BASE_EXTD) != 0) {
		vlapic_id_changed(vp); /* all other registers keep their values */
		irq_fwd_set_x2apic(vp);
	}
	vlapic_mode_changed(vp);
	apic_page_remap(vp);
	return MSR_OK;
}
