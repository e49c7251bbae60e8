/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Per-CPU deadline queue: every virtual timer is one entry; the head is armed on the run timer
 * (run_timer.h). Pure.
 */
#pragma once

#include "core/lib/types.h"

struct vp;
struct timer;

#define TIMER_NEVER (~0ull)

/*
 * A deadline beyond this span is far: program half of the remaining time, good for every entry in
 * the first half. The price is one early exit per halving, each at least this span apart.
 */
#define TIMER_NEAR_TSC (1ull << 24)

typedef void (*timer_fn)(struct vp *vp, struct timer *t);

struct timer {
	u64 deadline_tsc; /* physical TSC */
	timer_fn fn;      /* called once when it is due; may set the timer again */
	struct timer *next;
	u32 pass; /* of timer_run() that ran it last */
	bool queued;
};

struct timer_queue {
	struct timer *head; /* sorted, earliest first */
	u32 pass;           /* calls of timer_run() */
};

/* timer_init() - an empty queue, and how its head is armed. Once, before the VP runs. */
void timer_init(struct vp *vp);

/* timer_set() - (re)arm @t of @vp's CPU; updates vp->deadline_tsc. */
void timer_set(struct vp *vp, struct timer *t, u64 deadline_tsc);
void timer_cancel(struct vp *vp, struct timer *t);

/* timer_run() - call every timer that is due at @now_tsc, earliest first. Bounded: each timer runs
 * at most once per call; one that sets itself again to a time already past waits for the next call.
 */
void timer_run(struct vp *vp, u64 now_tsc);
