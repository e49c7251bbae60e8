/* SPDX-License-Identifier: BSD-2-Clause */
/* Per-CPU deadline queue. Context: the VP's own CPU, VMX root, interrupts disabled. */
#include "core/time/timer.h"

#include "core/partition.h"
#include "core/vp/vp.h"

void timer_init(struct vp *vp)
{
	vp->deadline_tsc = TIMER_NEVER;
	vp->rearm_tsc = 0;
	vp->near_tsc = vp->partition->machine.run_timer == RUN_TIMER_VMX ? TIMER_NEAR_TSC : 0;
}

/* No work flag needed: every entry arms vp->deadline_tsc, or runs the queue if it has passed. */
static void timer_publish(struct vp *vp)
{
	const struct timer *head = vp->timers.head;

	vp->deadline_tsc = head != NULL ? head->deadline_tsc : TIMER_NEVER;
	vp->rearm_tsc = 0;
}

static void timer_unlink(struct timer_queue *q, struct timer *t)
{
	struct timer **link = &q->head;

	while (*link != t)
		link = &(*link)->next;
	*link = t->next;
	t->queued = false;
}

/* Equal deadlines run in the order in which they were set. */
static void timer_insert(struct timer_queue *q, struct timer *t)
{
	struct timer **link = &q->head;

	while (*link != NULL && (*link)->deadline_tsc <= t->deadline_tsc)
		link = &(*link)->next;
	t->next = *link;
	*link = t;
	t->queued = true;
}

void timer_set(struct vp *vp, struct timer *t, u64 deadline_tsc)
{
	struct timer_queue *q = &vp->timers;

	if (t->queued && q->head == t) {
		/* The guest's tick: was the first, and stays it. */
		if (likely(t->next == NULL || deadline_tsc < t->next->deadline_tsc)) {
			t->deadline_tsc = deadline_tsc;
			vp->deadline_tsc = deadline_tsc;
			vp->rearm_tsc = 0;
			return;
		}
	}
	if (t->queued)
		timer_unlink(q, t);
	t->deadline_tsc = deadline_tsc;
	timer_insert(q, t);
	timer_publish(vp);
}

void timer_cancel(struct vp *vp, struct timer *t)
{
	if (!t->queued)
		return;
	timer_unlink(&vp->timers, t);
	timer_publish(vp);
}

/* Several: each runs once, also if it is due again. */
static NOINLINE void run_many(struct vp *vp, u64 now_tsc)
{
	struct timer_queue *q = &vp->timers;
	u32 pass = ++q->pass;
	struct timer *t = q->head;

	do {
		timer_unlink(q, t);
		t->pass = pass;
		t->fn(vp, t);
		/* Skip timers that ran in this pass, even if due again: the next call runs them. */
		for (t = q->head; t != NULL && t->pass == pass; t = t->next)
			;
	} while (t != NULL && t->deadline_tsc <= now_tsc);
	timer_publish(vp);
}

void timer_run(struct vp *vp, u64 now_tsc)
{
	struct timer *t = vp->timers.head;

	if (t == NULL || t->deadline_tsc > now_tsc)
		return;
	/* SPEED(periodic-never): 0 - 1 is never below */
	if (unlikely(vp->periodic_tsc - 1 < now_tsc))
		vp_set_work(vp, VP_WORK_PERIODIC);
	if (unlikely(t->next != NULL))
		return run_many(vp, now_tsc);
	/* SPEED(only-timer): no pass, and nothing to do behind the call, so that it is a jump */
	t->queued = false;
	vp->timers.head = NULL;
	timer_publish(vp);
	t->fn(vp, t);
}
