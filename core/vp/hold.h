/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A held VP stays in root before its next entry until no owner holds it. Each owner has a bit, so
 * that one owner's release does not undo another's hold. A held VP still serves remote calls and
 * EPT flushes and runs its timers (VP 0's include the monitor's); INIT, SIPI, NMIs and interrupts
 * wait. Time held is stolen time.
 */
#pragma once

#include "core/lib/types.h"

struct partition;
struct vp;

enum hold_owner {
	HOLD_PAUSE = 1u << 0,   /* partition_pause() */
	HOLD_MONITOR = 1u << 1, /* the monitor's command hold */
	HOLD_TSC = 1u << 2,     /* core/vp/tsc_change.h */
};

struct hold {
	u32 owners;   /* remote; enum hold_owner */
	bool stopped; /* remote reads: held, and in root by now */
};

/*
 * vp_hold() - hold @vp before its next entry. Returns at once, before it has stopped; a VP that
 * waits for a SIPI stops when that arrives. Any VP's CPU, also @vp's own. Holds of one owner do not
 * nest.
 */
void vp_hold(struct vp *vp, enum hold_owner owner);
void vp_release(struct vp *vp, enum hold_owner owner);

/**
 * partition_pause() - hold all started VPs for @ticks TSC ticks from now. Returns at once. Modules
 * are told when it ends, as for every hold. Any VP's CPU.
 */
void partition_pause(struct partition *p, u64 ticks);

/* hold_started() - @vp, which waited for a SIPI, has just been started: obey a hold before its
 * first instruction. */
void hold_started(struct vp *vp);

/* hold_serve() - VP_WORK_HOLD: stay in root while anybody holds @vp. */
void hold_serve(struct vp *vp);
