/* SPDX-License-Identifier: BSD-2-Clause */
/* See apic_timer.h. */
#include "core/time/apic_timer.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/hw.h"
#include "core/lib/mul128.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define IRR_REG   (APIC_IRR + APIC_TIMER_FIRST / 32 * APIC_REG_STRIDE)
#define IRR_SHIFT (APIC_TIMER_FIRST % 32)

/* One-shot: a long span is cut in half, so that the error of the calibration stays small. */
#define SPAN_MAX_TSC (1ull << 24)
/* Armed again this close to the old deadline, it may have expired; well above that error. */
#define NEAR_TSC     (1ull << 20)

/* Bit n: vector APIC_TIMER_FIRST + n. */
static u32 read_irr(void)
{
	return hw_lapic_read(IRR_REG) >> IRR_SHIFT;
}

static u32 bit_of(u32 vector)
{
	return BIT32(vector - APIC_TIMER_FIRST);
}

static bool in_deadline_mode(const struct vp *vp)
{
	return vp->partition->machine.run_timer == RUN_TIMER_APIC_DEADLINE;
}

/* Cannot fault: CPUID has the mode. */
static void write_deadline(u64 deadline_tsc)
{
	err_t err = hw_wrmsr_safe(MSR_IA32_TSC_DEADLINE, deadline_tsc);

	(void)err;
}

static void disarm(struct vp *vp)
{
	if (in_deadline_mode(vp))
		write_deadline(0);
	else
		hw_lapic_write(APIC_TMICT, 0);
	vp->apic_timer.armed_tsc = 0;
}

/*
 * SDM "TSC-Deadline Mode": the MSR reads 0 once it has expired. An outer hypervisor may be early,
 * so that it is the only witness; HW-ERRATUM: in Bochs it keeps its value.
 */
static bool has_expired(const struct vp *vp)
{
	u64 deadline = 0;

	if (!in_deadline_mode(vp))
		return hw_lapic_read(APIC_TMCCT) == 0;
	if (hw_tsc() >= vp->apic_timer.armed_tsc)
		return true;
	return hw_rdmsr_safe(MSR_IA32_TSC_DEADLINE, &deadline) == ERR_NONE && deadline == 0;
}

/* HW-ERRATUM: Bochs ignores the EOI of a vector that is also the spurious one. */
static u32 choose_vector(u32 svr)
{
	u32 spurious = (u32)FIELD_GET(APIC_SVR_VECTOR, svr);

	return spurious == VECTOR_COUNT - 1 ? APIC_TIMER_FIRST : VECTOR_COUNT - 1;
}

void apic_timer_open(struct vp *vp, u32 svr)
{
	struct apic_timer *t = &vp->apic_timer;
	u32 mode;

	if (!vp_uses_apic_timer(vp))
		return;
	mode = in_deadline_mode(vp) ? APIC_TIMER_TSC_DEADLINE : APIC_TIMER_ONE_SHOT;
	if (t->armed_tsc != 0) {
		disarm(vp);
		t->pending |= bit_of(t->vector) & read_irr();
	}
	t->vector = choose_vector(svr);
	hw_lapic_write(APIC_TDCR, APIC_TDCR_BY_1);
	hw_lapic_write(APIC_LVT_TIMER, t->vector | (u32)FIELD_PREP(APIC_LVT_TIMER_MODE, mode));
	/* In xAPIC mode the entry must have changed before the deadline is written: SDM
	 * "TSC-Deadline Mode". The read waits for the write. */
	(void)hw_lapic_read(APIC_LVT_TIMER);
	vp->rearm_tsc = 0;
}

/* APIC ticks in @span_tsc, rounded up: an early interrupt would need a second one. */
static u32 ticks_of(const struct partition *p, u64 span_tsc)
{
	u64 ticks = mul_u64_u64_div_u64(span_tsc, p->machine.apic_timer_hz, p->clock.tsc_hz) + 1;

	return ticks <= 0xffffffff ? (u32)ticks : 0xffffffff;
}

void apic_timer_arm(struct vp *vp, u64 now_tsc)
{
	struct apic_timer *t = &vp->apic_timer;
	u64 old_tsc = t->armed_tsc, span_tsc = vp->deadline_tsc - now_tsc;

	if (vp->deadline_tsc == TIMER_NEVER) {
		if (old_tsc != 0)
			disarm(vp);
	} else if (in_deadline_mode(vp)) {
		write_deadline(vp->deadline_tsc);
		t->armed_tsc = vp->deadline_tsc;
	} else {
		if (span_tsc > SPAN_MAX_TSC)
			span_tsc /= 2;
		hw_lapic_write(APIC_TMICT, ticks_of(vp->partition, span_tsc));
		t->armed_tsc = now_tsc + span_tsc;
	}
	/* Only now can it no longer expire by the old deadline. */
	if (old_tsc != 0 && old_tsc <= now_tsc + NEAR_TSC)
		t->pending |= bit_of(t->vector) & read_irr();
	vp->rearm_tsc = vp->deadline_tsc;
}

u32 apic_timer_take(struct vp *vp, u32 vector)
{
	struct apic_timer *t = &vp->apic_timer;
	u32 bit = bit_of(vector);
	bool is_ours = (t->pending & bit) != 0;

	if (vector == t->vector && t->armed_tsc != 0 && has_expired(vp)) {
		is_ours = true;
		t->armed_tsc = 0;
		vp->rearm_tsc = 0;
	}
	t->pending &= ~bit;
	if (!is_ours) {
		t->shared |= bit;
		return APIC_TIMER_IRQ_DEVICE;
	}
	/* It may have expired only after the CPU took this one. */
	t->pending |= bit & read_irr();
	return APIC_TIMER_IRQ_OURS | (t->shared & bit ? APIC_TIMER_IRQ_DEVICE : 0);
}

u32 apic_timer_irr(const struct vp *vp, u32 reg)
{
	const struct apic_timer *t = &vp->apic_timer;

	if (!vp_uses_apic_timer(vp) || reg != IRR_REG)
		return 0;
	return ((t->pending | bit_of(t->vector)) & ~t->shared) << IRR_SHIFT;
}
