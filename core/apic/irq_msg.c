/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of the virtual I/O APIC to the virtual local APICs, and EOIs that somebody waits for.
 *
 * A level message leaves a mark (vp->fwd.line_level) beside the IRR bit: the EOI of a marked vector
 * goes to the virtual I/O APIC, whatever its TMR bit says by then. A vector can be both marked and
 * held, when the machine's line of that pin is asserted, too: one EOI ends both.
 *
 * Context: a VP's CPU, VMX root. Other VPs are reached by posting only.
 */
#include "core/apic/irq_msg.h"

#include "core/apic/ipi_internal.h"
#include "core/apic/lazy_eoi.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static bool is_candidate(const struct vp *target, const struct ipi *m, const struct vp *except)
{
	return target != except && ipi_matches(target, m) && vlapic_is_sw_enabled(&target->apic);
}

/* vector_hashing=on: the vector picks among the matching VPs, in VP order. */
static struct vp *pick_by_vector(struct partition *p, const struct ipi *m, const struct vp *except)
{
	u32 count = 0, nr;

	for (u32 i = 0; i < p->vp_count; i++)
		count += is_candidate(p->vp[i], m, except);
	if (count == 0)
		return NULL;
	nr = m->vector % count;
	for (u32 i = 0; i < p->vp_count; i++)
		if (is_candidate(p->vp[i], m, except) && nr-- == 0)
			return p->vp[i];
	return NULL; /* the last candidate was disabled between the passes */
}

/* Lowest priority: the least busy of the matching VPs; the first among equals. */
static struct vp *pick_lowest(struct partition *p, const struct ipi *m, const struct vp *except)
{
	struct vp *best = NULL;
	u32 best_tpr = 0;

	for (u32 i = 0; i < p->vp_count; i++) {
		struct vp *target = p->vp[i];
		u32 tpr = vlapic_reg(&target->apic, APIC_TPR) & 0xff;

		if (!is_candidate(target, m, except))
			continue;
		if (best == NULL || tpr < best_tpr) {
			best = target;
			best_tpr = tpr;
		}
	}
	return best;
}

struct vp *ipi_pick_lowest(struct partition *p, const struct ipi *m, const struct vp *except)
{
	return p->config.vector_hashing ? pick_by_vector(p, m, except) : pick_lowest(p, m, except);
}

static bool has_bit(const u32 *set, u8 vector)
{
	return (set[vector >> 5] & BIT32(vector & 31)) != 0;
}

/* @set: line_level or watched */
static void set_bit(struct irq_fwd *f, u32 *set, u8 vector, bool on)
{
	if (has_bit(set, vector) == on)
		return;
	set[vector >> 5] ^= BIT32(vector & 31);
	f->soft_count += on ? 1u : ~0u;
	f->eoi_count += on ? 1u : ~0u;
}

static void clear_bits(struct irq_fwd *f, u32 *set)
{
	for (u32 i = 0; i < VECTOR_COUNT / 32; i++)
		while (set[i] != 0)
			set_bit(f, set, (u8)(i * 32 + (u32)__builtin_ctz(set[i])), false);
}

static void set_mark(struct irq_fwd *f, u8 vector, bool on)
{
	set_bit(f, f->line_level, vector, on);
}

static bool is_requested(const struct vlapic *a, u8 vector)
{
	return (*vlapic_bitmap(a, APIC_IRR, vector) & BIT32(vector & 31)) != 0;
}

/* Mark it first: with virtual-interrupt delivery the EOI-exit bitmap depends on the mark. */
static void accept_level(struct vp *vp, u8 vector)
{
	bool was_marked = has_bit(vp->fwd.line_level, vector);

	set_mark(&vp->fwd, vector, true);
	vlapic_set_irr(vp, vector, true);
	if (!is_requested(&vp->apic, vector)) /* disabled, or an illegal vector */
		set_mark(&vp->fwd, vector, was_marked);
}

static void post_level(struct vp *target, u8 vector)
{
	(void)__atomic_fetch_or(&target->fwd.posted_level[vector >> 6], BIT64(vector & 63),
				__ATOMIC_RELEASE);
	vp_post_work(target, VP_WORK_LINES);
}

static void fold_level(struct vp *vp)
{
	u64 *posted = vp->fwd.posted_level;

	for (u32 i = 0; i < ARRAY_SIZE(vp->fwd.posted_level); i++) {
		u64 bits = __atomic_exchange_n(&posted[i], 0, __ATOMIC_ACQUIRE);

		for (; bits != 0; bits &= bits - 1)
			accept_level(vp, (u8)(i * 64 + (u32)__builtin_ctzll(bits)));
	}
}

static void eoi_hook(struct vp *vp, u8 vector)
{
	if (vp->partition->hooks != NULL)
		vp->partition->hooks->eoi(vp, vector);
}

/* A lazy EOI would not exit: the vector in service may be this one. */
static void watch_own(struct vp *vp, u8 vector)
{
	if (has_bit(vp->fwd.watched, vector))
		return;
	lazy_eoi_sync(vp);
	set_bit(&vp->fwd, vp->fwd.watched, vector, true);
	if (vp->apic.vid)
		irq_fwd_set_eoi_exit(vp, vector);
	vp_set_work(vp, VP_WORK_EVENT);
}

void irq_msg_watch(struct vp *vp, u8 vector)
{
	if (vp == hw_cpu_vp()) {
		watch_own(vp, vector);
		return;
	}
	(void)__atomic_fetch_or(&vp->fwd.posted_watch[vector >> 6], BIT64(vector & 63),
				__ATOMIC_RELEASE);
	vp_post_work(vp, VP_WORK_LINES);
}

void irq_msg_unwatch(struct vp *vp)
{
	struct irq_fwd *f = &vp->fwd;

	if (f->eoi_count == 0)
		return;
	clear_bits(f, f->watched);
}

static void fold_watch(struct vp *vp)
{
	u64 *posted = vp->fwd.posted_watch;

	for (u32 i = 0; i < ARRAY_SIZE(vp->fwd.posted_watch); i++) {
		u64 bits = __atomic_exchange_n(&posted[i], 0, __ATOMIC_ACQUIRE);

		for (; bits != 0; bits &= bits - 1) {
			u8 vector = (u8)(i * 64 + (u32)__builtin_ctzll(bits));

			watch_own(vp, vector);
			eoi_hook(vp, vector);
		}
	}
}

void irq_msg_work(struct vp *vp)
{
	fold_level(vp);
	fold_watch(vp);
	if (vp->partition->lines != NULL)
		vp->partition->lines->intr(vp);
}

static void msg_deliver(struct vp *self, struct vp *target, const struct irq_msg *m)
{
	switch (m->mode) {
	case APIC_MODE_FIXED:
	case APIC_MODE_LOWEST:
		if (target == self && m->level)
			accept_level(self, m->vector);
		else if (target == self)
			vlapic_set_irr(self, m->vector, false);
		else if (m->level)
			post_level(target, m->vector);
		else
			vlapic_post_irq(target, m->vector);
		break;
	case APIC_MODE_NMI:
		vlapic_post_nmi(target);
		break;
	case APIC_MODE_INIT:
		vlapic_post_init(target);
		break;
	default: /* SMI: not the guest's. ExtINT: no 8259 of ours is behind the line. Reserved. */
		break;
	}
}

void irq_msg_send(struct vp *self, const struct irq_msg *m)
{
	struct partition *p = self->partition;
	struct ipi bus = {
		.dest = m->dest,
		.logical = m->logical,
		.broadcast = m->dest == APIC_BROADCAST_XAPIC,
		.mode = m->mode,
		.vector = m->vector,
	};

	if (m->mode == APIC_MODE_LOWEST) {
		struct vp *target = ipi_pick_lowest(p, &bus, NULL);

		if (target != NULL)
			msg_deliver(self, target, m);
		return;
	}
	for (u32 i = 0; i < p->vp_count; i++)
		if (ipi_matches(p->vp[i], &bus))
			msg_deliver(self, p->vp[i], m);
}

void irq_msg_eoi(struct vp *vp, u8 vector)
{
	if (has_bit(vp->fwd.watched, vector)) {
		set_bit(&vp->fwd, vp->fwd.watched, vector, false);
		eoi_hook(vp, vector);
	}
	if (!has_bit(vp->fwd.line_level, vector))
		return;
	/* Clear it even if another pin has requested the vector again: the EOI frees all pins of
	 * the vector, and one that is still asserted sends, and marks, again. */
	set_mark(&vp->fwd, vector, false);
	if (!(vp->apic.svr & APIC_SVR_EOI_SUPPRESS))
		vp->partition->lines->eoi(vp, vector);
}

void irq_msg_forget(struct vp *vp)
{
	clear_bits(&vp->fwd, vp->fwd.line_level);
}
