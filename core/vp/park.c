/* SPDX-License-Identifier: BSD-2-Clause */
/* Parking, and the time that root steals. Pure; VP's own CPU. */
#include "core/vp/park.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/shared_area.h"
#include "core/partition.h"
#include "core/vp/tlb_flush.h"
#include "core/vp/vp.h"

void vp_park(struct vp *vp)
{
	struct park *k = &vp->park;

	if (k->parked)
		return;
	STORE_RELEASE(k->parked, true);
	if (k->area != NULL)
		shared_write8(k->area, k->offset, PARK_PREEMPTED);
}

/* An exchange: a plain store would lose a flush that is requested at this very moment. */
static NOINLINE void resume_area(struct vp *vp)
{
	struct park *k = &vp->park;
	u8 byte = shared_xchg8(k->area, k->offset, 0);

	if ((byte & PARK_FLUSH_TLB) == 0 && shared_area_is_live(k->area))
		return;
	COUNT(vp, PARK_FLUSH);
	tlb_flush_local(vp); /* all PCIDs: the guest names none */
}

void vp_resume(struct vp *vp)
{
	struct park *k = &vp->park;

	if (likely(!k->parked))
		return;
	/* A full barrier: the entry sees the work that tlb_flush() left while it saw this. */
	(void)__atomic_exchange_n(&k->parked, false, __ATOMIC_SEQ_CST);
	if (k->area != NULL)
		resume_area(vp);
}

void park_forget(struct vp *vp)
{
	vp_resume(vp);
	vp->park.area = NULL;
}

u64 steal_begin(void)
{
	return hw_tsc();
}

void steal_end(struct vp *vp, enum steal_cause cause, u64 begin_tsc)
{
	u64 ticks = hw_tsc() - begin_tsc;

	if (cause == STEAL_DUMP) {
		vp->park.dump_tsc += ticks;
		vp->park.dumps++;
	}
	if (vp->hold.stopped) /* hold_serve() counts all of it */
		return;
	trace_stolen(vp, cause, ticks);
	if (vp->state != VP_RUNNING)
		return;
	vp->park.stolen_tsc[cause] += ticks;
	if (vp->partition->hooks != NULL)
		vp->partition->hooks->stolen(vp);
}

u64 park_begin_work(struct vp *vp)
{
	vp_park(vp);
	WRITE_ONCE(vp->park.wanted, false);
	WRITE_ONCE(vp->park.can_wait, true);
	return steal_begin();
}

void park_end_work(struct vp *vp, enum steal_cause cause, u64 begin_tsc)
{
	WRITE_ONCE(vp->park.can_wait, false);
	if (vp->state == VP_RUNNING && !vp->hold.stopped)
		vp_resume(vp);
	steal_end(vp, cause, begin_tsc);
}

bool park_is_wanted(const struct vp *vp)
{
	return READ_ONCE(vp->park.wanted);
}

void park_want(struct vp *vp)
{
	if (READ_ONCE(vp->park.can_wait))
		WRITE_ONCE(vp->park.wanted, true);
}

u64 steal_total_ns(const struct vp *vp)
{
	u64 tsc = 0;

	for (u32 i = 0; i < STEAL_CAUSE_COUNT; i++)
		tsc += vp->park.stolen_tsc[i];
	return clock_tsc_to_ns(&vp->partition->clock, tsc);
}

void steal_dump(const struct vp *vp, void (*line)(const char *fmt, ...))
{
	static const char *const names[] = {
#define X(name, text, help) text,
		STEAL_CAUSES(X)
#undef X
	};

	for (u32 i = 0; i < STEAL_CAUSE_COUNT; i++) {
		u64 tsc = vp->park.stolen_tsc[i];

		if (tsc != 0)
			line("gauge vp%u steal_%s_ns %llu", vp->index, names[i],
			     clock_tsc_to_ns(&vp->partition->clock, tsc));
	}
}
