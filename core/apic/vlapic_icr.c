/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interprocessor interrupts.
 *
 * Context: sender's CPU, VMX root. Other VPs are reached by posting only.
 * Spec:    SDM Vol. 3A, "Issuing Interprocessor Interrupts".
 */
#include "core/apic/ipi_internal.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/event.h"

#define ICR_MODE(lo)      ((u32)FIELD_GET(APIC_ICR_MODE, (lo)))
#define ICR_SHORTHAND(lo) ((u32)FIELD_GET(APIC_ICR_SHORTHAND, (lo)))

static void ipi_deliver(struct vp *vp, struct vp *target, const struct ipi *m)
{
	switch (m->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		if (target == vp)
			vlapic_set_irr(vp, m->vector, false);
		else
			vlapic_post_irq(target, m->vector);
		break;
	case APIC_MODE_NMI:
		if (target == vp)
			event_nmi(vp);
		else
			vlapic_post_nmi(target);
		break;
	case APIC_MODE_INIT:
		vlapic_post_init(target);
		break;
	case APIC_MODE_STARTUP:
		vlapic_post_sipi(target, m->vector);
		break;
	default: /* a field from the guest: SMI (dropped: SMM is not the guest's) and reserved */
		break;
	}
}

static void ipi_send(struct vp *vp, const struct ipi *m, const struct vp *except)
{
	struct partition *p = vp->partition;

	if (m->mode == APIC_MODE_LOWEST) {
		struct vp *target = ipi_pick_lowest(p, m, except);

		if (target != NULL)
			ipi_deliver(vp, target, m);
		return;
	}
	for (u32 i = 0; i < p->vp_count; i++)
		if (p->vp[i] != except && ipi_matches(p->vp[i], m))
			ipi_deliver(vp, p->vp[i], m);
}

static bool has_vector(u32 mode)
{
	return mode == APIC_MODE_FIXED || mode == APIC_MODE_LOWEST;
}

/* Everything but a plain fixed interrupt. */
static NOINLINE void send_icr(struct vp *vp, u32 lo, u32 hi)
{
	bool x2apic = vlapic_is_x2apic(&vp->apic);
	struct ipi m = {
		.dest = x2apic ? hi : hi >> 24,
		.logical = (lo & APIC_ICR_LOGICAL) != 0,
		.mode = (u8)ICR_MODE(lo),
		.vector = (u8)lo,
	};
	const struct vp *except = NULL;

	m.broadcast = m.dest == (x2apic ? APIC_BROADCAST_X2APIC : APIC_BROADCAST_XAPIC);
	/* INIT level de-assert only set arbitration IDs, on buses that had them. */
	if (m.mode == APIC_MODE_INIT && (lo & (APIC_ICR_LEVEL | APIC_ICR_ASSERT)) == APIC_ICR_LEVEL)
		return;
	if (has_vector(m.mode) && m.vector < VECTOR_MIN_APIC) {
		vlapic_error(vp, APIC_ESR_SEND_ILLEGAL);
		if (ICR_SHORTHAND(lo) == APIC_SHORTHAND_SELF)
			vlapic_error(vp, APIC_ESR_RECEIVE_ILLEGAL);
		return;
	}
	switch (ICR_SHORTHAND(lo)) {
	case APIC_SHORTHAND_SELF:
		return; /* fixed was handled; all other modes are invalid with it */
	case APIC_SHORTHAND_ALL:
		if (m.mode != APIC_MODE_FIXED)
			return; /* invalid: SDM "Valid Combinations for the ... Local APIC's ICR" */
		m.broadcast = true;
		break;
	case APIC_SHORTHAND_OTHERS:
		m.broadcast = true;
		except = vp;
		break;
	default: /* APIC_SHORTHAND_NONE */
		break;
	}
	ipi_send(vp, &m, except);
}

/* x2APIC, physical destination: the VP with that ID if it has an enabled APIC. */
static inline struct vp *plain_target(const struct vp *vp, u64 plain)
{
	u32 id = (u32)FIELD_GET(APIC_ICR_DEST_X2APIC, plain);
	struct vp *target;

	if ((u32)plain != 0 || id >= APIC_IDS_DIRECT)
		return NULL;
	target = vp->partition->vp_of_apic_id[id];
	return target != NULL && vlapic_is_hw_enabled(&target->apic) ? target : NULL;
}

/* All but the fields that do not matter for a plain fixed interrupt. */
#define ICR_PLAIN (~(APIC_ICR_VECTOR | APIC_ICR_ASSERT | (u64)APIC_ICR_LEVEL))
#define ICR_SELF  FIELD_PREP(APIC_ICR_SHORTHAND, APIC_SHORTHAND_SELF)

static inline void dispatch_icr(struct vp *vp, u64 icr, bool x2apic)
{
	u64 plain = icr & ICR_PLAIN;
	struct vp *target;

	if (unlikely((u8)icr < VECTOR_MIN_APIC))
		return send_icr(vp, (u32)icr, (u32)(icr >> 32));
	if (plain == vp->apic.self_icr || (u32)plain == ICR_SELF)
		return vlapic_set_irr_inline(vp, (u8)icr, false);
	target = x2apic ? plain_target(vp, plain) : NULL; /* SPEED(icr-to-one) */
	if (target != NULL)
		return vlapic_post_irq(target, (u8)icr);
	send_icr(vp, (u32)icr, (u32)(icr >> 32));
}

bool vlapic_send(struct vp *vp, struct vp *target, u32 icr)
{
	const struct ipi m = { .mode = (u8)ICR_MODE(icr), .vector = (u8)icr };

	if (!vlapic_is_hw_enabled(&target->apic))
		return false;
	switch (m.mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		if (!vlapic_is_sw_enabled(&target->apic))
			return false;
		/* fall through */
	case APIC_MODE_INIT:
		if ((icr & (APIC_ICR_LEVEL | APIC_ICR_ASSERT)) == APIC_ICR_LEVEL)
			return false; /* de-assert */
		break;
	case APIC_MODE_NMI:
	case APIC_MODE_STARTUP:
		break;
	default:
		return false;
	}
	ipi_deliver(vp, target, &m);
	return true;
}

/* Bit 12, "pending", reads 0 always: an IPI is sent when the write returns. */
static inline void store_icr(struct vlapic *a, u64 icr, u32 high_reg)
{
	vlapic_reg_set(a, APIC_ICR, (u32)icr);
	vlapic_reg_set(a, high_reg, (u32)(icr >> 32));
}

void vlapic_write_icr(struct vp *vp, u64 icr)
{
	struct vlapic *a = &vp->apic;

	icr &= ~(u64)APIC_ICR_PENDING;
	if (vlapic_is_x2apic(a)) {
		store_icr(a, icr, APIC_ICR + 4);
		dispatch_icr(vp, icr, true);
	} else {
		icr &= APIC_ICR_DEST_XAPIC | GENMASK64(31, 0);
		store_icr(a, icr, APIC_ICR2);
		dispatch_icr(vp, icr, false);
	}
}

enum msr_result vlapic_x2apic_icr_write(struct vp *vp, u32 msr, u64 val)
{
	if (!vlapic_is_x2apic(&vp->apic))
		return MSR_GP;
	val &= ~(u64)APIC_ICR_PENDING;
	store_icr(&vp->apic, val, APIC_ICR + 4);
	dispatch_icr(vp, val, true);
	return MSR_OK;
}
