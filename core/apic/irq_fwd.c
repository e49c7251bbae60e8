/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding of physical interrupts: rules I1-I7 of docs/design.md.
 *
 * The physical ISR holds exactly the held vectors, as an edge vector is finished before anything
 * else is accepted. So the highest held vector is the highest in the physical ISR: no need to read
 * it.
 *
 * Context: VP's own CPU, VMX root, interrupts disabled.
 */
#include "core/apic/irq_fwd.h"

#include "arch/x86/defs/cr.h"
#include "core/apic/extint.h"
#include "core/apic/irq_msg.h"
#include "core/apic/vlapic_internal.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/time/apic_timer.h"

/* Keep these out of a physical LVT entry that is written back. */
#define LVT_READ_ONLY (APIC_LVT_PENDING | APIC_LVT_REMOTE_IRR)

/*
 * Leave the bit set until the vector arrives as edge: a useless exit is harmless, a VMWRITE per
 * interrupt is not.
 */
void irq_fwd_set_eoi_exit(struct vp *vp, u8 vector)
{
	u64 bit = BIT64(vector & 63);
	u32 word = vector >> 6;
	u64 old = vp->ctx->eoi_exit[word];

	ctx_set_eoi_exit(vp->ctx, word,
			 irq_fwd_eoi_wanted(&vp->fwd, vector >> 5) & BIT32(vector & 31)
				 ? old | bit
				 : old & ~bit);
}

void irq_fwd_set_eoi_exits(struct vp *vp)
{
	const struct irq_fwd *f = &vp->fwd;

	for (u32 i = 0; i < ARRAY_SIZE(vp->ctx->eoi_exit); i++)
		ctx_set_eoi_exit(vp->ctx, i,
				 (u64)irq_fwd_eoi_wanted(f, 2 * i + 1) << 32 |
					 irq_fwd_eoi_wanted(f, 2 * i));
}

static NOINLINE void irq_fwd_hold(struct vp *vp, u8 vector)
{
	struct irq_fwd *f = &vp->fwd;

	f->held[vector >> 5] |= BIT32(vector & 31);
	f->eoi_count++;
	COUNT(vp, IRQ_LEVEL);
	/*
	 * A disabled virtual APIC drops it. Hold it all the same: an EOI now would make the
	 * asserted line send it again, for ever. The drain at the APIC's enabling finishes it.
	 */
	vlapic_set_irr(vp, vector, true);
}

/* A held vector keeps others in the physical IRR, where reads of the guest's must find them: I6. */
static NOINLINE void irq_fwd_hold_first(struct vp *vp, u8 vector)
{
	vlapic_xapic_reads_exit(vp);
	irq_fwd_hold(vp, vector);
}

static NOINLINE void irq_fwd_accept_draining(struct vp *vp, u8 vector, bool level)
{
	hw_lapic_eoi();
	COUNT(vp, IRQ_DRAINED);
	vlapic_set_irr(vp, vector, level); /* dropped, unless the guest disables by SVR only */
}

/* A vector that may be the run timer's (core/time/apic_timer.h). */
static NOINLINE void irq_fwd_accept_top(struct vp *vp, u8 vector)
{
	u32 whose = apic_timer_take(vp, vector);

	hw_lapic_eoi();
	if (whose & APIC_TIMER_IRQ_OURS)
		COUNT(vp, RUN_TIMER);
	if (!(whose & APIC_TIMER_IRQ_DEVICE))
		return;
	COUNT(vp, IRQ_EDGE);
	vlapic_set_irr(vp, vector, false);
}

/* Anything but a plain edge. */
static NOINLINE void irq_fwd_accept_rare(struct vp *vp, u8 vector, bool in_service, bool level)
{
	if (!in_service || irq_fwd_is_held(&vp->fwd, vector))
		extint_put(vp, vector); /* 8259 or spurious: I1 */
	else if (level && vp->fwd.may_hold)
		irq_fwd_hold(vp, vector);
	else if (level && vp->fwd.look_from != 0)
		irq_fwd_hold_first(vp, vector);
	else if (!level && vp_uses_apic_timer(vp) && vector >= APIC_TIMER_FIRST)
		irq_fwd_accept_top(vp, vector);
	else
		irq_fwd_accept_draining(vp, vector, level);
}

bool irq_fwd_take(struct vp *vp, u32 vector)
{
	u32 word = vector >> 5, bit = BIT32(vector & 31);
	u64 state = hw_lapic_isr_tmr(word);
	u32 isr = (u32)state, tmr = (u32)(state >> 32);

	/* SPEED(plain-edge): two tests for all that is not. Held vectors are level: their TMR bit
	 * is set. */
	if (unlikely((isr & ~tmr & bit) == 0) || unlikely(vector >= vp->fwd.look_from)) {
		irq_fwd_accept_rare(vp, (u8)vector, (isr & bit) != 0, (tmr & bit) != 0);
		return false;
	}
	hw_lapic_eoi(); /* I2: before anything else is accepted */
	COUNT(vp, IRQ_EDGE);
	return vlapic_request(vp, vector, false);
}

void irq_fwd_accept(struct vp *vp, u8 vector)
{
	if (irq_fwd_take(vp, vector))
		vp_set_work(vp, VP_WORK_EVENT);
}

static s32 highest_held(const struct irq_fwd *f)
{
	for (s32 w = 7; w >= 0; w--)
		if (f->held[w] != 0)
			return w * 32 + 31 - __builtin_clz(f->held[w]);
	return -1;
}

/* Several vectors are held, or others wait for the EOI, too. */
static NOINLINE void irq_fwd_eoi_many(struct vp *vp, u8 vector)
{
	struct irq_fwd *f = &vp->fwd;
	s32 top;

	irq_msg_eoi(vp, vector);
	if (!irq_fwd_is_held(f, vector))
		return;
	f->done[vector >> 5] |= BIT32(vector & 31);

	/* The physical EOI always retires the highest held vector: wait until that one is done. */
	while ((top = highest_held(f)) >= 0) {
		u32 bit = BIT32(top & 31);

		if ((f->done[top >> 5] & bit) == 0)
			break;
		f->held[top >> 5] &= ~bit;
		f->done[top >> 5] &= ~bit;
		f->eoi_count--;
		hw_lapic_eoi();
	}
}

NOINLINE void irq_fwd_eoi(struct vp *vp, u8 vector)
{
	struct irq_fwd *f = &vp->fwd;

	/* The only held vector, hence the highest in the physical ISR. */
	if (likely(irq_fwd_is_held(f, vector)) && likely(f->eoi_count == 1)) {
		f->held[vector >> 5] = 0;
		f->eoi_count = 0;
		hw_lapic_eoi();
	} else if (f->eoi_count != 0) {
		irq_fwd_eoi_many(vp, vector);
	}
}

static bool phys_bitmap_any(u32 reg)
{
	for (u32 w = 0; w < VECTOR_REGS; w++)
		if (hw_lapic_read(reg + w * APIC_REG_STRIDE) != 0)
			return true;
	return false;
}

void irq_fwd_init(struct vp *vp)
{
	vp->fwd.look_from = vp_uses_apic_timer(vp) ? APIC_TIMER_FIRST : VECTOR_COUNT;
	vp->fwd.may_hold = !vp->apic.xapic_virt;
}

void irq_fwd_drain(struct vp *vp)
{
	struct irq_fwd *f = &vp->fwd;
	u32 lint0 = hw_lapic_read(APIC_LVT_LINT0);
	u32 svr = hw_lapic_read(APIC_SVR);

	f->look_from = 0;
	f->may_hold = false;
	/* With EOI suppression no EOI would reach the I/O APIC, and nobody sends the directed
	 * ones: the lines' Remote IRR would stay set. */
	if ((svr & APIC_SVR_EOI_SUPPRESS) != 0)
		hw_lapic_write(APIC_SVR, svr & ~APIC_SVR_EOI_SUPPRESS);
	/* Ask the hardware, not held[]: firmware may have left ISR bits. */
	for (u32 n = 0; n < VECTOR_COUNT && phys_bitmap_any(APIC_ISR); n++)
		hw_lapic_eoi();
	for (u32 i = 0; i < ARRAY_SIZE(f->held); i++)
		f->held[i] = f->done[i] = 0;
	for (; f->eoi_count != f->soft_count; f->eoi_count--)
		COUNT(vp, IRQ_HELD_DRAINED);

	if (phys_bitmap_any(APIC_IRR)) {
		/* Mask LINT0, or the window would acknowledge an 8259 interrupt as well. */
		hw_lapic_write(APIC_LVT_LINT0, lint0 | APIC_LVT_MASKED);
		for (u32 n = 0; n < VECTOR_COUNT && phys_bitmap_any(APIC_IRR); n++)
			hw_irq_window();
		hw_lapic_write(APIC_LVT_LINT0, lint0 & ~LVT_READ_ONLY);
	}
	if ((svr & APIC_SVR_EOI_SUPPRESS) != 0)
		hw_lapic_write(APIC_SVR, svr);
	irq_fwd_init(vp);
}

void irq_fwd_reset(struct vp *vp)
{
	irq_fwd_drain(vp);
	extint_forget(vp);
}

/* --- Rule I7 --- */

/* Software 8259 lines may have waited for LINT0 to open. */
static void lint0_changed(struct vp *vp)
{
	if (vp->partition->lines != NULL)
		vp_set_work(vp, VP_WORK_LINES);
}

static u32 smi_entry(u32 reg)
{
	u32 val = hw_lapic_read(reg) & ~LVT_READ_ONLY;

	return FIELD_GET(APIC_LVT_MODE, val) == APIC_MODE_SMI ? val : 0;
}

/* Firmware that throttles, or logs corrected errors, from system-management mode needs its SMIs. */
void irq_fwd_note_firmware(struct vp *vp)
{
	vp->fwd.smi_thermal = smi_entry(APIC_LVT_THERMAL);
	if (vlapic_has_cmci(&vp->apic))
		vp->fwd.smi_cmci = smi_entry(APIC_LVT_CMCI);
}

/* An APIC disabled by SVR has masked all entries, a change of its mode has reset them. */
static void restore_firmware(const struct vp *vp)
{
	if (vp->fwd.smi_thermal != 0)
		hw_lapic_write(APIC_LVT_THERMAL, vp->fwd.smi_thermal);
	if (vp->fwd.smi_cmci != 0)
		hw_lapic_write(APIC_LVT_CMCI, vp->fwd.smi_cmci);
}

/*
 * The guest is in x2APIC mode, the physical APIC is not. Devices' messages have 8 bits, as without
 * interrupt remapping. Physical destinations are the same in both modes. A logical one is extended
 * with zeroes: it means members of cluster 0, each with its bit; the flat model does the same. The
 * APICs that no such message can reach get no bit.
 */
static u32 ldr_of_cluster_0(u32 ldr)
{
	return FIELD_GET(APIC_LDR_X2APIC_CLUSTER, ldr) == 0
		       ? (u32)FIELD_PREP(APIC_LDR_XAPIC, ldr & 0xff)
		       : 0;
}

void irq_fwd_mirror(struct vp *vp, u32 reg)
{
	const struct vlapic *a = &vp->apic;
	u32 val = vlapic_reg(a, reg);

	switch (reg) {
	case APIC_LDR:
	case APIC_DFR:
		/* LDR is read-only and DFR absent in x2APIC mode: WRMSR would #GP. */
		if (vp->fwd.phys_x2apic)
			return;
		if (vlapic_is_x2apic(a))
			val = reg == APIC_LDR ? ldr_of_cluster_0(val) : APIC_DFR_FLAT;
		break;
	case APIC_LVT_CMCI:
		if (!vlapic_has_cmci(a))
			return;
		if (vp->fwd.smi_cmci != 0)
			return;
		break;
	case APIC_SVR:
		val &= APIC_SVR_VECTOR | APIC_SVR_ENABLE | APIC_SVR_EOI_SUPPRESS;
		break;
	case APIC_LVT_THERMAL:
		if (vp->fwd.smi_thermal != 0)
			return;
		break;
	case APIC_LVT_LINT0:
	case APIC_LVT_LINT1:
		break;
	default: /* not mirrored: ours */
		return;
	}
	hw_lapic_write(reg, val);
	if (reg == APIC_LVT_LINT0)
		lint0_changed(vp);
	if (reg == APIC_SVR) {
		apic_timer_open(vp, val);
		restore_firmware(vp);
	}
}

void irq_fwd_set_x2apic(struct vp *vp)
{
	if (vp->partition->machine.phys_x2apic)
		vp->fwd.phys_x2apic = hw_lapic_set_x2apic(true);
	irq_fwd_mirror(vp, APIC_LDR);
	irq_fwd_mirror(vp, APIC_DFR);
}

/* Bochs cannot re-enable an APIC; kicks in xAPIC mode reach only 8-bit IDs. */
static bool may_leave_x2apic(const struct partition *p)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i]->apic_id >= APIC_BROADCAST_XAPIC)
			return false;
	}
	return !p->machine.is_bochs;
}

/*
 * Leaving x2APIC mode resets the APIC: accepted vectors would be lost and their lines' Remote IRR
 * stay set. So disable it by SVR, to accept nothing more, then drain (I5). Kicks in flight would be
 * lost, too: hold them.
 */
void irq_fwd_set_xapic(struct vp *vp)
{
	if (!vp->fwd.phys_x2apic || !may_leave_x2apic(vp->partition))
		return;
	hw_lapic_write(APIC_SVR, APIC_SVR_RESET);
	irq_fwd_drain(vp);
	vp_hold_kicks(vp);
	vp->fwd.phys_x2apic = hw_lapic_set_x2apic(false);
	vp_release_kicks(vp);
}

void irq_fwd_mirror_all(struct vp *vp)
{
	/* SVR first: software-disabled, the APIC forces LVT entries to masked. */
	static const u32 regs[] = { APIC_SVR,         APIC_LDR,       APIC_DFR,      APIC_LVT_CMCI,
				    APIC_LVT_THERMAL, APIC_LVT_LINT0, APIC_LVT_LINT1 };

	if (!vlapic_is_hw_enabled(&vp->apic)) {
		/* Without an APIC, LINT0 and LINT1 are the CPU's INTR and NMI pins. */
		hw_lapic_write(APIC_SVR, APIC_SVR_RESET | APIC_SVR_ENABLE);
		apic_timer_open(vp, APIC_SVR_RESET);
		restore_firmware(vp);
		hw_lapic_write(APIC_LVT_LINT0, FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
		hw_lapic_write(APIC_LVT_LINT1, FIELD_PREP(APIC_LVT_MODE, APIC_MODE_NMI));
		/* No logical ID: a lowest-priority message might pick us and be dropped. */
		if (!vp->fwd.phys_x2apic)
			hw_lapic_write(APIC_LDR, 0);
		lint0_changed(vp);
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(regs); i++)
		irq_fwd_mirror(vp, regs[i]);
}
