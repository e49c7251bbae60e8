/* SPDX-License-Identifier: BSD-2-Clause */
/* See tsc_change.h. Pure. Context: a VP's CPU, root. */
#include "core/vp/tsc_change.h"

#include "arch/x86/defs/msr.h"
#include "core/surface/msr.h"
#include "core/time/tsc_emul.h"
#include "core/vp/vp.h"

#define STOP_LIMIT_PER_SECOND 100 /* 10 ms: VPs that are in root already stop later */

/* No VP may run the guest while the frequency changes. */
static void stop_others(struct partition *p, const struct vp *self)
{
	u64 end_tsc = hw_tsc() + p->clock.tsc_hz / STOP_LIMIT_PER_SECOND;

	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i] != self)
			vp_hold(p->vp[i], HOLD_TSC);
	}
	for (u32 i = 0; i < p->vp_count; i++) {
		const struct vp *vp = p->vp[i];

		while (vp != self && !LOAD_ACQUIRE(vp->hold.stopped) &&
		       READ_ONCE(vp->state) != VP_WAIT_SIPI && hw_tsc() < end_tsc)
			remote_call_wait(hw_cpu_vp());
	}
}

/* On each VP's own CPU. @begins: the frequency has changed; else an emulation ends. */
static void follow(struct vp *vp, void *begins)
{
	const struct tsc_emul *e = &vp->partition->tsc_emul;
	bool on = e->on;

	if (*(const bool *)begins)
		vlapic_timer_rate_changed(vp, e);
	else
		WRITE_ONCE(vp->tsc_offset, vp->tsc_offset + e->moved);
	ctx_set_tsc_offset(vp->ctx, vp->tsc_offset);
	ctx_set_bits(vp->ctx, CTX_PROC, PROC_RDTSC_EXITING, on);
	msr_bitmap_intercept(vp->ctx->msr_bitmap, MSR_IA32_TSC, on, true);
	vlapic_timer_tsc_changed(vp);
}

/* A VP that is long in root, printing, answers late. */
static void follow_all(struct partition *p, bool begins)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		while (!remote_call(p->vp[i], follow, &begins) && LOAD_ACQUIRE(p->vp[i]->entered))
			;
	}
}

static void release_all(struct partition *p, const struct vp *self)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i] != self)
			vp_release(p->vp[i], HOLD_TSC);
	}
}

static void tell(struct partition *p)
{
	if (p->hooks != NULL)
		p->hooks->clock_changed(p);
}

void tsc_frequency_change(struct partition *p, u64 hz, bool emulate)
{
	struct tsc_emul *e = &p->tsc_emul;
	struct vp *self = hw_cpu_vp();

	long_lock(&e->lock, self);
	if (!e->on) {
		stop_others(p, self);
		e->at_tsc = hw_tsc();
		e->old_hz = p->clock.tsc_hz;
		e->new_hz = hz;
		e->moved = 0;
		e->on = emulate;
		if (!emulate)
			clock_set_hz(&p->clock, hz, e->at_tsc, e->at_tsc);
		follow_all(p, true);
		tell(p);
		release_all(p, self);
	}
	long_unlock(&e->lock);
}

void tsc_emulation_end(struct partition *p)
{
	struct tsc_emul *e = &p->tsc_emul;
	struct vp *self = hw_cpu_vp();
	u64 now_tsc, guest_tsc;

	long_lock(&e->lock, self);
	if (e->on) {
		stop_others(p, self);
		now_tsc = hw_tsc();
		guest_tsc = tsc_emul_at(e, now_tsc);
		clock_set_hz(&p->clock, e->new_hz, guest_tsc, now_tsc);
		e->moved = guest_tsc - now_tsc;
		e->on = false;
		follow_all(p, false);
		tell(p);
		release_all(p, self);
	}
	long_unlock(&e->lock);
}
