/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Holds: a VP stays in root before its next entry until nobody holds it any more. Several owners
 * can hold the same VP, each with a bit of its own, so that one's release does not let go of
 * another's VP. A held VP serves calls and EPT flushes of other CPUs and runs its timers (the
 * monitor's are among VP 0's); INIT, SIPI, NMIs and interrupts wait. Time held is stolen time.
 */
#pragma once

#include "core/lib/types.h"

struct partition;
struct vp;

enum hold_owner {
	HOLD_PAUSE = 1u << 0,   /* partition_pause() */
	HOLD_MONITOR = 1u << 1, /* the monitor's command hold */
};

struct hold {
	u32 owners;   /* remote; enum hold_owner */
	bool stopped; /* remote reads: it is held, and in root */
};

/* vp_hold() - @vp stays in root before its next entry. Returns at once; one that waits for a SIPI
 * stops when it gets it. Any VP's CPU, also @vp's own. Twice by the same owner: as once. */
void vp_hold(struct vp *vp, enum hold_owner owner);
void vp_release(struct vp *vp, enum hold_owner owner);

/**
 * partition_pause() - hold all VPs that take part until @ticks TSC ticks from now. Returns at once.
 * Afterwards each VP's modules hear of it, as after every hold. Any VP's CPU.
 */
void partition_pause(struct partition *p, u64 ticks);

/* hold_started() - a SIPI has just started @vp: it may be held from its first instruction on. */
void hold_started(struct vp *vp);

/* hold_serve() - VP_WORK_HOLD: stay while anybody holds @vp. */
void hold_serve(struct vp *vp);
