/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A lock for work that itself waits for other CPUs, such as ept_flush(): who waits for it serves
 * them meanwhile, which a spinlock's waiter does not. Not fair: for what is rare.
 *
 * Context: VP's own CPU, no spinlock held.
 */
#pragma once

#include "core/lib/types.h"
#include "core/vp/remote_call.h"

struct long_lock {
	u32 held; /* remote */
};

static inline void long_lock(struct long_lock *l, struct vp *self)
{
	while (__atomic_exchange_n(&l->held, 1, __ATOMIC_ACQUIRE) != 0)
		remote_call_wait(self);
}

static inline void long_unlock(struct long_lock *l)
{
	__atomic_store_n(&l->held, 0, __ATOMIC_RELEASE);
}
