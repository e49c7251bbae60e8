/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to do about ERR_AGAIN: guest memory that is not there yet (core/mem/far.h).
 *
 * A handler that has changed nothing returns EXIT_RETRY: the VP waits a moment in root, enters
 * again with its instruction not retired, and exits again. Between two tries interrupts, INIT and
 * every other work are served, so a page that never comes costs the guest one instruction, not a
 * VP. A handler that has begun (a port was read, a task was left) cannot do that: it calls
 * vp_wait_page() itself until the access succeeds.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

/* vp_wait_page() - stay in root for a moment, at most until work or a timer is due: parked, counted
 * and stolen time. An event that the exit interrupted is queued again already. VP's own CPU, no
 * locks, no pins. */
void vp_wait_page(struct vp *vp);

/* page_retry() - do err = access; while (page_retry(vp, err)); for handlers that have begun. */
static inline bool page_retry(struct vp *vp, err_t err)
{
	if (likely(err != ERR_AGAIN))
		return false;
	vp_wait_page(vp);
	return true;
}

/* page_wait_read(), page_wait_write() - gpa_read() and gpa_write() that wait in place: ERR_FAULT is
 * all that is left to go wrong. */
MUST_CHECK err_t page_wait_read(struct vp *vp, gpa_t at, void *buf, u64 len);
MUST_CHECK err_t page_wait_write(struct vp *vp, gpa_t at, const void *buf, u64 len);
