/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The APIC timer: one-shot, periodic, TSC-deadline. One struct timer in the VP's deadline queue, on
 * the physical TSC. The count registers run at timer_hz / divider; a deadline needs no conversion.
 *
 * Context: VP's own CPU, VMX root, interrupts disabled.
 * Spec:    SDM Vol. 3A, "APIC Timer", "TSC-Deadline Mode".
 */
#include "core/apic/vlapic_internal.h"
#include "core/hw.h"
#include "core/lib/mul128.h"
#include "core/partition.h"
#include "core/time/tsc_emul.h"

#define NS_PER_SECOND 1000000000ull
#define LVT_DEADLINE  FIELD_PREP(APIC_LVT_TIMER_MODE, APIC_TIMER_TSC_DEADLINE)

/* Automatic timer advance, in ns: KVM's limits for lapic_timer_advance_ns=-1. */
#define ADVANCE_START      1000u
#define ADVANCE_MAX        5000u
#define ADVANCE_NOISE      100   /* smaller errors are left alone */
#define ADVANCE_DISTURBED  10000 /* larger ones have another cause */
#define ADVANCE_ADJUST_DIV 8

static u32 timer_mode(u32 lvt)
{
	return (u32)FIELD_GET(APIC_LVT_TIMER_MODE, lvt);
}

static inline bool is_deadline_mode(u32 lvt)
{
	return (lvt & APIC_LVT_TIMER_MODE) == LVT_DEADLINE;
}

/*
 * The clock counts at the old frequency while that is emulated (core/time/tsc_emul.h); the queue is
 * always on the machine's TSC.
 */
static u64 ns_to_tsc(const struct partition *p, u64 ns)
{
	u64 tsc = clock_ns_to_tsc(&p->clock, ns);

	return likely(!p->tsc_emul.on) ? tsc : tsc_emul_span(&p->tsc_emul, tsc);
}

static u64 tsc_to_ns(const struct partition *p, u64 delta_tsc)
{
	if (unlikely(p->tsc_emul.on))
		delta_tsc = tsc_emul_ticks(&p->tsc_emul, delta_tsc);
	return clock_tsc_to_ns(&p->clock, delta_tsc);
}

/* @ticks are counts at the divided frequency. */
static u64 ticks_to_tsc(const struct vp *vp, u64 ticks)
{
	const struct vlapic *a = &vp->apic;
	u64 ns = ticks << a->timer_shift;

	if (a->timer_hz != NS_PER_SECOND)
		ns = mul_u64_u64_div_u64(ns, NS_PER_SECOND, a->timer_hz);
	return ns_to_tsc(vp->partition, ns);
}

static u64 tsc_to_ticks(const struct vp *vp, u64 delta_tsc)
{
	const struct vlapic *a = &vp->apic;
	u64 ns = tsc_to_ns(vp->partition, delta_tsc);

	if (a->timer_hz != NS_PER_SECOND)
		ns = mul_u64_u64_div_u64(ns, a->timer_hz, NS_PER_SECOND);
	return ns >> a->timer_shift;
}

static void stop_count(struct vp *vp)
{
	vp->apic.period_tsc = 0;
	timer_cancel(vp, &vp->apic.timer);
}

/* If late, skip the missed periods: the IRR holds only one anyway. */
static void next_period(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u64 now_tsc = hw_tsc();
	u64 late_tsc;

	a->period_start_tsc += a->period_tsc;
	late_tsc = now_tsc - a->period_start_tsc;
	if ((s64)late_tsc > 0 && late_tsc >= a->period_tsc)
		a->period_start_tsc += late_tsc - late_tsc % a->period_tsc;
	timer_set(vp, &a->timer, a->period_start_tsc + a->period_tsc);
}

u32 vlapic_timer_adapt(u32 advance_ns, s64 late_ns)
{
	u64 error_ns = late_ns < 0 ? -(u64)late_ns : (u64)late_ns;
	s64 next_ns;

	if (error_ns < ADVANCE_NOISE || error_ns > ADVANCE_DISTURBED)
		return advance_ns;
	next_ns = (s64)advance_ns + late_ns / ADVANCE_ADJUST_DIV;
	return next_ns < 0 || next_ns > ADVANCE_MAX ? ADVANCE_START : (u32)next_ns;
}

static void set_advance(struct vp *vp, u32 ns)
{
	vp->apic.advance_ns = ns;
	vp->apic.advance_tsc = ns != 0 ? ns_to_tsc(vp->partition, ns) : 0;
	vp->apic.deadline_moves = vp->apic.advance_tsc | vp->partition->tsc_emul.on;
}

/*
 * The queue fired early, by advance_tsc: spin until the guest's own deadline. The time that it took
 * to get here is part of the wait.
 */
static NOINLINE void wait_for_deadline(struct vp *vp, u64 queued_tsc)
{
	const struct partition *p = vp->partition;
	u64 deadline_tsc = queued_tsc + vp->apic.advance_tsc;
	u64 now_tsc = hw_tsc();
	s64 late_tsc = (s64)(now_tsc - deadline_tsc), late_ns;

	while ((s64)(now_tsc - deadline_tsc) < 0)
		now_tsc = hw_tsc();
	if (p->config.lapic_timer_advance_ns != CONFIG_ADAPTS)
		return;
	late_ns = (s64)tsc_to_ns(p, (u64)(late_tsc < 0 ? -late_tsc : late_tsc));
	set_advance(vp, vlapic_timer_adapt(vp->apic.advance_ns, late_tsc < 0 ? -late_ns : late_ns));
}

static NOINLINE void expire_other(struct vp *vp)
{
	struct vlapic *a = &vp->apic;

	if (timer_mode(a->lvt_timer) == APIC_TIMER_PERIODIC && a->period_tsc != 0)
		next_period(vp);
	else
		a->period_tsc = 0;
	if ((a->lvt_timer & APIC_LVT_MASKED) == 0)
		vlapic_set_irr(vp, (u8)a->lvt_timer, false);
}

static void vlapic_timer_expire(struct vp *vp, struct timer *t)
{
	struct vlapic *a = &vp->apic;

	COUNT(vp, TIMER_FIRED);
	if (unlikely(a->advance_tsc != 0) && is_deadline_mode(a->lvt_timer))
		wait_for_deadline(vp, t->deadline_tsc);
	a->tsc_deadline = 0;
	/* SPEED(deadline-first): neither masked nor with a period */
	if (likely((a->lvt_timer & (APIC_LVT_TIMER_MODE | APIC_LVT_MASKED)) == LVT_DEADLINE))
		return vlapic_set_irr(vp, (u8)a->lvt_timer, false);
	expire_other(vp);
}

/*
 * Frequency before the divider. A guest that trusts CPUID 0x15 takes the crystal for it, so when
 * the leaf is shown the timer must tick at that rate.
 */
void vlapic_timer_init(struct vp *vp)
{
	const struct config *c = &vp->partition->config;
	struct vlapic *a = &vp->apic;
	struct cpuid_regs r = { 0 };

	a->timer.fn = vlapic_timer_expire;
	set_advance(vp, c->lapic_timer_advance_ns == CONFIG_ADAPTS ? ADVANCE_START
								   : c->lapic_timer_advance_ns);
	a->timer_hz = VLAPIC_TIMER_HZ;
	if (!vp->partition->machine.cpuid_tsc_trusted)
		return;
	hw_cpuid(CPUID_LEAF_TSC, 0, &r);
	if (r.c != 0)
		a->timer_hz = r.c;
	else if (r.a != 0 && r.b != 0)
		a->timer_hz = mul_u64_u64_div_u64(vp->partition->clock.tsc_hz, r.a, r.b);
}

u32 vlapic_timer_current(struct vp *vp)
{
	const struct vlapic *a = &vp->apic;
	u64 count = vlapic_reg(a, APIC_TMICT);
	u64 elapsed_tsc, elapsed;

	if (a->period_tsc == 0)
		return 0; /* stopped, expired or TSC-deadline mode */
	elapsed_tsc = hw_tsc() - a->period_start_tsc;
	if (elapsed_tsc >= a->period_tsc) {
		if (timer_mode(a->lvt_timer) != APIC_TIMER_PERIODIC)
			return 0;
		elapsed_tsc %= a->period_tsc;
	}
	elapsed = tsc_to_ticks(vp, elapsed_tsc);
	return (u32)(elapsed < count ? count - elapsed : 1); /* 0 would mean: expired */
}

/* Sets period_tsc from the initial count. */
static void compute_period(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u64 min_tsc;

	a->period_tsc = ticks_to_tsc(vp, vlapic_reg(a, APIC_TMICT));
	if (timer_mode(a->lvt_timer) != APIC_TIMER_PERIODIC)
		return;
	min_tsc = ns_to_tsc(vp->partition, vp->partition->config.min_timer_period_us * 1000ull);
	if (a->period_tsc < min_tsc) {
		TRACE(vp, TIMER_RAISED, 0, a->period_tsc, min_tsc);
		a->period_tsc = min_tsc;
		COUNT(vp, TIMER_PERIOD_RAISED);
	}
}

void vlapic_timer_write_initial(struct vp *vp, u32 count)
{
	struct vlapic *a = &vp->apic;

	if (is_deadline_mode(a->lvt_timer)) {
		vlapic_reg_set(a, APIC_TMICT,
			       0); /* ignored; the page may hold a virtualized write */
		return;
	}
	vlapic_reg_set(a, APIC_TMICT, count);
	if (count == 0) {
		stop_count(vp);
		return;
	}
	compute_period(vp);
	a->period_start_tsc = hw_tsc();
	timer_set(vp, &a->timer, a->period_start_tsc + a->period_tsc);
	COUNT(vp, TIMER_ARMED);
}

void vlapic_timer_lvt_changed(struct vp *vp, u32 old_lvt)
{
	struct vlapic *a = &vp->apic;

	/* Between TSC-deadline and the other modes: disarmed. Else the count goes on. */
	if (is_deadline_mode(a->lvt_timer) != is_deadline_mode(old_lvt)) {
		stop_count(vp);
		a->tsc_deadline = 0;
		vlapic_reg_set(a, APIC_TMICT, 0);
		return;
	}
	/* A running one-shot that becomes periodic: its next period must respect the limit. */
	if (a->period_tsc != 0 && timer_mode(a->lvt_timer) != timer_mode(old_lvt)) {
		compute_period(vp);
		timer_set(vp, &a->timer, a->period_start_tsc + a->period_tsc);
	}
}

/* The count in progress keeps its value and goes on at the new rate. */
void vlapic_timer_divider_changed(struct vp *vp)
{
	struct vlapic *a = &vp->apic;
	u32 count = vlapic_timer_current(vp);

	a->timer_shift = apic_tdcr_shift(vlapic_reg(a, APIC_TDCR));
	if (a->period_tsc == 0)
		return;
	compute_period(vp);
	a->period_start_tsc = hw_tsc() + ticks_to_tsc(vp, count) - a->period_tsc;
	timer_set(vp, &a->timer, a->period_start_tsc + a->period_tsc);
}

/* When the queue must fire for a deadline with an offset or an advance. */
static NOINLINE u64 queue_deadline(const struct vp *vp, u64 guest_tsc)
{
	u64 advance_tsc = vp->apic.advance_tsc;
	bool is_physical = vp->tsc_offset == 0 && !vp->partition->tsc_emul.on;
	u64 tsc = is_physical ? guest_tsc
			      : tsc_emul_deadline(vp->partition, vp->tsc_offset, guest_tsc);

	if (tsc == TIMER_NEVER)
		return tsc;
	return tsc > advance_tsc ? tsc - advance_tsc : 0;
}

void vlapic_timer_write_deadline(struct vp *vp, u64 guest_tsc)
{
	struct vlapic *a = &vp->apic;

	if (!is_deadline_mode(a->lvt_timer))
		return;
	a->tsc_deadline = guest_tsc;
	if (unlikely(guest_tsc == 0)) {
		timer_cancel(vp, &a->timer);
		return;
	}
	COUNT(vp, TIMER_ARMED);
	if (unlikely((vp->tsc_offset | a->deadline_moves) != 0))
		guest_tsc = queue_deadline(vp, guest_tsc);
	timer_set(vp, &a->timer, guest_tsc); /* in the past: due before the next entry */
}

u64 vlapic_timer_read_deadline(struct vp *vp)
{
	return vp->apic.tsc_deadline;
}

void vlapic_timer_tsc_changed(struct vp *vp)
{
	set_advance(vp, vp->apic.advance_ns);
	if (vp->apic.tsc_deadline != 0)
		vlapic_timer_write_deadline(vp, vp->apic.tsc_deadline);
}

/* One that was armed after the change uses the new frequency already. */
void vlapic_timer_rate_changed(struct vp *vp, const struct tsc_emul *e)
{
	struct vlapic *a = &vp->apic;
	u64 elapsed_tsc = e->at_tsc - a->period_start_tsc;

	if (a->period_tsc == 0 || (s64)elapsed_tsc < 0)
		return;
	compute_period(vp);
	a->period_start_tsc = e->at_tsc - tsc_emul_span(e, elapsed_tsc);
	timer_set(vp, &a->timer, a->period_start_tsc + a->period_tsc);
}
