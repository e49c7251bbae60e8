/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What to do about ERR_AGAIN: guest memory that is not there yet (core/mem/ranges.h).
 *
 * A handler that has changed nothing yet returns EXIT_RETRY: the VP waits a moment in root, enters
 * at the same instruction and exits again. Interrupts, INIT and all other work are served between
 * two tries, so a page that never arrives blocks one instruction, not the VP. A handler that is
 * past the point of no return (it has read a port, or left a task) cannot start over: it calls
 * vp_wait_page() until the access succeeds.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;
struct walk_fault;

/*
 * vp_wait_page() - stay in root, parked, for a moment, at most until work or a timer is due. This
 * is stolen time. An event that the exit interrupted must be queued again already. VP's own CPU;
 * hold no locks and no pins: the CPU that fetches the page may need them.
 */
void vp_wait_page(struct vp *vp);

/*
 * page_retry() - for handlers that cannot start over: do err = access; while (page_retry(vp, err));
 */
static inline bool page_retry(struct vp *vp, err_t err)
{
	if (likely(err != ERR_AGAIN))
		return false;
	vp_wait_page(vp);
	return true;
}

/* page_wait_read(), page_wait_write() - gpa_read() and gpa_write() that wait in place: never
 * ERR_AGAIN. */
MUST_CHECK err_t page_wait_read(struct vp *vp, gpa_t at, void *buf, u64 len);
MUST_CHECK err_t page_wait_write(struct vp *vp, gpa_t at, const void *buf, u64 len);

/* gva_read_waiting(), gva_write_waiting() - the same for gva_read() and gva_write(). */
MUST_CHECK err_t gva_read_waiting(struct vp *vp, u64 gva, u32 access, void *buf, u32 len,
				  struct walk_fault *fault);
MUST_CHECK err_t gva_write_waiting(struct vp *vp, u64 gva, u32 access, const void *buf, u32 len,
				   struct walk_fault *fault);
