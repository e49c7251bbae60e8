/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Register reads and writes by xAPIC offset; both modes end here.
 *
 * Context: VP's own CPU, VMX root.
 * Spec:    SDM Vol. 3A, "Local APIC Register Address Map", "Local Vector Table", "Error Handling".
 */
#include "core/apic/lazy_eoi.h"
#include "core/apic/vlapic_internal.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/time/apic_timer.h"

/* Bit n: the register at offset n * 16 exists in xAPIC mode. CMCI apart. */
#define REG_BIT(reg) BIT64((reg) >> 4)
#define PRESENT                                                                              \
	(REG_BIT(APIC_ID) | REG_BIT(APIC_VERSION) | REG_BIT(APIC_TPR) | REG_BIT(APIC_APR) |  \
	 REG_BIT(APIC_PPR) | REG_BIT(APIC_EOI) | REG_BIT(APIC_RRD) | REG_BIT(APIC_LDR) |     \
	 REG_BIT(APIC_DFR) | REG_BIT(APIC_SVR) | GENMASK64(0x27, 0x10) | REG_BIT(APIC_ESR) | \
	 GENMASK64(0x39, 0x30) | REG_BIT(APIC_TDCR))

/* In xAPIC mode. */
static bool is_present(const struct vlapic *a, u32 reg)
{
	if (reg > APIC_SELF_IPI)
		return false;
	return (PRESENT & REG_BIT(reg)) != 0 || (reg == APIC_LVT_CMCI && vlapic_has_cmci(a));
}

static u32 vlapic_ppr(const struct vlapic *a)
{
	u32 tpr = vlapic_reg(a, APIC_TPR) & 0xff;
	s32 isr = vlapic_highest_isr(a);
	u32 class = isr < 0 ? 0 : (u32)isr & 0xf0;

	return (tpr & 0xf0) >= class ? tpr : class;
}

u32 vlapic_read(struct vp *vp, u32 reg)
{
	struct vlapic *a = &vp->apic;

	if (reg == APIC_TMCCT)
		return vlapic_timer_current(vp);
	lazy_eoi_sync(vp);
	if (!is_present(a, reg)) {
		vlapic_error(vp, APIC_ESR_ILLEGAL_REGISTER);
		return 0;
	}
	if (reg >= APIC_IRR && reg < APIC_ESR)
		return vlapic_reg(a, reg) |
		       (hw_lapic_read(reg) & ~apic_timer_irr(vp, reg)); /* I6 */
	if (reg == APIC_PPR)
		return vlapic_ppr(a);
	if (reg == APIC_APR || reg == APIC_RRD || reg == APIC_EOI)
		return 0; /* no arbitration since the Pentium 4; EOI is write-only */
	return vlapic_reg(a, reg);
}

/* --- writes --- */

static void write_svr(struct vp *vp, u32 val)
{
	struct vlapic *a = &vp->apic;
	bool was_enabled = vlapic_is_sw_enabled(a);
	u32 writable = APIC_SVR_VECTOR | APIC_SVR_ENABLE | APIC_SVR_FOCUS_DISABLE;

	if ((vlapic_reg(a, APIC_VERSION) & APIC_VERSION_EOI_SUPPRESS) != 0)
		writable |= APIC_SVR_EOI_SUPPRESS;
	val &= writable;

	/*
	 * Rule I5. Going down, what the physical IRR holds still reaches our IRR, which keeps it
	 * (SDM "Local APIC State After It Has Been Software Disabled"); going up, what slipped in
	 * while disabled is discarded.
	 */
	if (was_enabled != ((val & APIC_SVR_ENABLE) != 0))
		irq_fwd_drain(vp);
	a->svr = val;
	vlapic_reg_set(a, APIC_SVR, val);
	vlapic_enable_changed(vp);
	if (vp->partition->machine.virt_intr_delivery)
		vlapic_mode_changed(vp);
	if (was_enabled && !vlapic_is_sw_enabled(a)) {
		for (u32 reg = APIC_LVT_TIMER; reg <= APIC_LVT_ERROR; reg += APIC_REG_STRIDE)
			vlapic_reg_set(a, reg, vlapic_reg(a, reg) | APIC_LVT_MASKED);
		if (vlapic_has_cmci(a))
			vlapic_reg_set(a, APIC_LVT_CMCI,
				       vlapic_reg(a, APIC_LVT_CMCI) | APIC_LVT_MASKED);
		a->lvt_timer |= APIC_LVT_MASKED;
	}
	irq_fwd_mirror(vp, APIC_SVR);
}

/* Bits that software can set; delivery status and remote IRR are read-only and stay 0. */
static u32 lvt_writable(u32 reg)
{
	u32 mask = APIC_LVT_VECTOR | APIC_LVT_MASKED;

	if (reg == APIC_LVT_TIMER)
		return mask | (u32)APIC_LVT_TIMER_MODE;
	if (reg == APIC_LVT_ERROR)
		return mask;
	mask |= (u32)APIC_LVT_MODE;
	if (reg == APIC_LVT_LINT0 || reg == APIC_LVT_LINT1)
		mask |= APIC_LVT_ACTIVE_LOW | APIC_LVT_LEVEL;
	return mask;
}

static void write_lvt(struct vp *vp, u32 reg, u32 val)
{
	struct vlapic *a = &vp->apic;
	u32 old = a->lvt_timer;

	val &= lvt_writable(reg);
	if (!vlapic_is_sw_enabled(a))
		val |= APIC_LVT_MASKED;
	vlapic_reg_set(a, reg, val);
	if (reg == APIC_LVT_TIMER) {
		a->lvt_timer = val;
		vlapic_timer_lvt_changed(vp, old);
	} else {
		irq_fwd_mirror(vp, reg);
	}
}

void vlapic_write_tpr(struct vp *vp, u32 val)
{
	vlapic_reg_set(&vp->apic, APIC_TPR, val & 0xff);
	vp_set_work(vp, VP_WORK_EVENT);
}

/* Logical destination: xAPIC only; x2APIC derives it (no write reaches us there). */
static void write_logical(struct vp *vp, u32 reg, u32 val)
{
	struct vlapic *a = &vp->apic;

	if (reg == APIC_LDR)
		val &= (u32)APIC_LDR_XAPIC;
	else
		val |= ~(u32)APIC_DFR_MODEL;
	vlapic_reg_set(a, reg, val);
	irq_fwd_mirror(vp, reg);
}

static void write_esr(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	vlapic_reg_set(a, APIC_ESR, a->esr_pending); /* a write latches, whatever it writes */
	a->esr_pending = 0;
}

/* Read-only or absent. Of the former a virtualized write can replace only the ID in the page. */
static void write_ignored(struct vp *vp, u32 reg)
{
	if (reg == APIC_ID)
		vlapic_id_changed(vp);
	else if (!is_present(&vp->apic, reg))
		vlapic_error(vp, APIC_ESR_ILLEGAL_REGISTER);
}

static void write_other(struct vp *vp, u32 reg, u32 val)
{
	struct vlapic *a = &vp->apic;

	switch (reg) {
	case APIC_TPR:
		vlapic_write_tpr(vp, val);
		break;
	case APIC_ICR:
		vlapic_write_icr(vp, (u64)vlapic_reg(a, APIC_ICR2) << 32 | val);
		break;
	case APIC_ICR2:
		vlapic_reg_set(a, APIC_ICR2, val & (u32)APIC_ICR2_DEST);
		break;
	case APIC_LDR:
	case APIC_DFR:
		write_logical(vp, reg, val);
		break;
	case APIC_SVR:
		write_svr(vp, val);
		break;
	case APIC_ESR:
		write_esr(vp);
		break;
	case APIC_LVT_CMCI:
		if (!vlapic_has_cmci(a)) {
			write_ignored(vp, reg);
			break;
		}
		write_lvt(vp, reg, val);
		break;
	case APIC_LVT_TIMER:
	case APIC_LVT_THERMAL:
	case APIC_LVT_PERF:
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
	case APIC_LVT_ERROR:
		write_lvt(vp, reg, val);
		break;
	case APIC_TMICT:
		vlapic_timer_write_initial(vp, val);
		break;
	case APIC_TDCR:
		vlapic_reg_set(a, APIC_TDCR, val & (u32)(APIC_TDCR_LOW | APIC_TDCR_HIGH));
		vlapic_timer_divider_changed(vp);
		break;
	default: /* a register number from the guest, not an enum */
		write_ignored(vp, reg);
		break;
	}
}

void vlapic_write(struct vp *vp, u32 reg, u32 val)
{
	if (unlikely(reg != APIC_EOI))
		return write_other(vp, reg, val);
	vlapic_reg_set(&vp->apic, APIC_EOI, 0); /* write-only: a virtualized read finds nothing */
	vlapic_eoi(vp);
}
