/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parking: a VP that sleeps, or that root keeps for long, does on resume what was asked of it
 * meanwhile (rule K4). tlb_flush() leaves it the work. A guest that has set up a shared area asks
 * by itself: we set PARK_PREEMPTED in a byte there; other VPs set PARK_FLUSH_TLB, atomically, and
 * only while PARK_PREEMPTED is set.
 *
 * Stolen time is what root takes from a running VP for its own purposes, counted by cause.
 *
 * Context: the VP's own CPU, root.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct shared_area;
struct vp;

#define PARK_PREEMPTED 1u
#define PARK_FLUSH_TLB 2u

/* X(NAME, name in the counters, what it is) */
#define STEAL_CAUSES(X)                                                 \
	X(PAUSE, "pause", "the VP was held: a pause, the monitor")      \
	X(CALL, "call", "a function ran here for another CPU")          \
	X(PAGE, "page", "guest memory was not there yet")               \
	X(FLUSH, "flush", "INVEPT for another CPU's change of the EPT") \
	X(DUMP, "dump", "the monitor: commands, dumps")

enum steal_cause {
#define X(name, text, help) STEAL_##name,
	STEAL_CAUSES(X)
#undef X
		STEAL_CAUSE_COUNT
};

struct park {
	const struct shared_area *area; /* NULL: the guest has not set one up */
	u32 offset;                     /* of the byte */
	bool parked;   /* remote reads: no instruction of the guest until vp_resume() */
	bool can_wait; /* remote reads: doing work that can wait */
	bool wanted;   /* remote: stop that work */
	u64 stolen_tsc[STEAL_CAUSE_COUNT];
	u64 dump_tsc; /* all that STEAL_DUMP took, also while the VP would not run */
	u32 dumps;    /* in so many pieces */
};

/* vp_park() - @vp will not run guest code until vp_resume(). No event may be half delivered. */
void vp_park(struct vp *vp);

/* vp_resume() - the only way back, whatever ended the park. Does nothing if not parked. */
void vp_resume(struct vp *vp);

/* park_forget() - the guest has taken the shared area away. */
void park_forget(struct vp *vp);

/* steal_begin()/steal_end() - around work that the guest did not ask for. Nothing is stolen from a
 * VP that would not run anyway. */
u64 steal_begin(void);
void steal_end(struct vp *vp, enum steal_cause cause, u64 begin_tsc);

/*
 * Work in root that can wait: between park_begin_work() and park_end_work() poll park_is_wanted(),
 * and stop when another VP wants this one to run.
 */
u64 park_begin_work(struct vp *vp);
void park_end_work(struct vp *vp, enum steal_cause cause, u64 begin_tsc);
bool park_is_wanted(const struct vp *vp);

/* park_want() - ask @vp to stop such work and run. Any CPU. */
void park_want(struct vp *vp);

/* steal_total_ns() - since power-on, all causes. */
u64 steal_total_ns(const struct vp *vp);

/* steal_dump() - one "gauge vpN steal_CAUSE_ns VALUE" line per cause that is not 0. */
void steal_dump(const struct vp *vp, void (*line)(const char *fmt, ...) PRINTF(1, 2));
