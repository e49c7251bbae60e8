/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run a function on another CPU. The record lies in the caller's struct vp, not on its stack: a
 * target that answers after the caller gave up must not find a dead frame. Whoever exchanges the
 * target's pointer to the record for NULL owns the call.
 */
#include "core/vp/remote_call.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define LIMIT_PER_SECOND 100 /* 10 ms */
#define LIMIT_MIN_TICKS  1000000ull

static void serve(struct vp *vp, enum remote_when when)
{
	struct remote_call *c =
		__atomic_exchange_n(&vp->remote.incoming[when], NULL, __ATOMIC_ACQ_REL);

	if (c == NULL)
		return;
	c->fn(vp, c->arg);
	STORE_RELEASE(c->done, true);
}

void remote_call_serve(struct vp *vp)
{
	serve(vp, REMOTE_ANY);
	serve(vp, REMOTE_BETWEEN_EXITS);
}

void remote_call_wait(struct vp *self)
{
	u32 work = READ_ONCE(self->work);

	if (work & VP_WORK_FLUSH)
		ept_flush_local(self);
	if (work & VP_WORK_CALL)
		serve(self, REMOTE_ANY);
	__builtin_ia32_pause();
}

/* A call in progress. */
struct calling {
	struct vp *self, *vp;
	enum remote_when when;
	u64 end_tsc;
};

/* Time is up; or of VPs that wait for each other in a circle, one must give way. */
static bool is_over(const struct calling *c)
{
	if (hw_tsc() > c->end_tsc)
		return true;
	return c->when == REMOTE_BETWEEN_EXITS && c->self->index > c->vp->index &&
	       READ_ONCE(c->vp->remote.waits) &&
	       READ_ONCE(c->self->remote.incoming[REMOTE_BETWEEN_EXITS]) != NULL;
}

static bool offer(const struct calling *c)
{
	struct remote_call *none = NULL;

	while (!__atomic_compare_exchange_n(&c->vp->remote.incoming[c->when], &none,
					    &c->self->remote, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED)) {
		if (is_over(c))
			return false; /* busy with another caller's */
		none = NULL;
		remote_call_wait(c->self);
	}
	vp_post_work(c->vp, VP_WORK_CALL);
	return true;
}

/* False: withdrawn in time, the function will not run. True: it has begun. */
static bool withdraw(const struct calling *c)
{
	struct remote_call *mine = &c->self->remote;

	return !__atomic_compare_exchange_n(&c->vp->remote.incoming[c->when], &mine, NULL, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

static err_t call(struct vp *vp, remote_fn fn, void *arg, enum remote_when when)
{
	struct vp *self = hw_cpu_vp();
	u64 hz = self->partition->clock.tsc_hz;
	const struct calling c = {
		.self = self,
		.vp = vp,
		.when = when,
		.end_tsc = hw_tsc() + umax64(hz / LIMIT_PER_SECOND, LIMIT_MIN_TICKS),
	};

	if (vp == self) {
		fn(vp, arg);
		return ERR_NONE;
	}
	if (!LOAD_ACQUIRE(vp->entered))
		return ERR_NODEV;
	self->remote.fn = fn;
	self->remote.arg = arg;
	self->remote.done = false;
	if (!offer(&c))
		return ERR_AGAIN;
	while (!LOAD_ACQUIRE(self->remote.done)) {
		if (is_over(&c) && !withdraw(&c))
			return ERR_AGAIN;
		remote_call_wait(self);
	}
	return ERR_NONE;
}

bool remote_call(struct vp *vp, remote_fn fn, void *arg)
{
	return call(vp, fn, arg, REMOTE_ANY) == ERR_NONE;
}

err_t remote_call_between(struct vp *vp, remote_fn fn, void *arg)
{
	struct vp *self = hw_cpu_vp();
	err_t err;

	WRITE_ONCE(self->remote.waits, true);
	err = call(vp, fn, arg, REMOTE_BETWEEN_EXITS);
	WRITE_ONCE(self->remote.waits, false);
	return err;
}
