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

void remote_call_serve(struct vp *vp)
{
	struct remote_call *c = __atomic_exchange_n(&vp->remote.incoming, NULL, __ATOMIC_ACQ_REL);

	if (c == NULL)
		return;
	c->fn(vp, c->arg);
	STORE_RELEASE(c->done, true);
}

void remote_call_wait(struct vp *self)
{
	u32 work = READ_ONCE(self->work);

	if (work & VP_WORK_FLUSH)
		ept_flush_local(self);
	if (work & VP_WORK_CALL)
		remote_call_serve(self);
	__builtin_ia32_pause();
}

static bool offer(struct vp *self, struct vp *vp, u64 end_tsc)
{
	struct remote_call *none = NULL;

	while (!__atomic_compare_exchange_n(&vp->remote.incoming, &none, &self->remote, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		if (hw_tsc() > end_tsc)
			return false; /* busy with another caller's */
		none = NULL;
		remote_call_wait(self);
	}
	vp_post_work(vp, VP_WORK_CALL);
	return true;
}

/* False: withdrawn in time, @fn will not run. True: it has begun. */
static bool withdraw(struct vp *self, struct vp *vp)
{
	struct remote_call *mine = &self->remote;

	return !__atomic_compare_exchange_n(&vp->remote.incoming, &mine, NULL, false,
					    __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

bool remote_call(struct vp *vp, remote_fn fn, void *arg)
{
	struct vp *self = hw_cpu_vp();
	u64 hz = self->partition->clock.tsc_hz;
	u64 end_tsc = hw_tsc() + umax64(hz / LIMIT_PER_SECOND, LIMIT_MIN_TICKS);

	if (vp == self) {
		fn(vp, arg);
		return true;
	}
	if (!LOAD_ACQUIRE(vp->entered))
		return false;
	self->remote.fn = fn;
	self->remote.arg = arg;
	self->remote.done = false;
	if (!offer(self, vp, end_tsc))
		return false;
	while (!LOAD_ACQUIRE(self->remote.done)) {
		if (hw_tsc() > end_tsc && !withdraw(self, vp))
			return false;
		remote_call_wait(self);
	}
	return true;
}
