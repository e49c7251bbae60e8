/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Far memory: guest RAM whose pages are fetched on demand. Asked for a page, the owner of the range
 * answers "here", "not now" or "never". EPT maps a page on the guest's first access, handlers use
 * gpa_pin(). A page appears at its own address (GPA = HPA).
 *
 * Nothing in Kensho owns far memory yet: the class exists to test ERR_AGAIN.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;

#define FAR_RANGES_MAX 2u

/*
 * @pin: make the page present until @unpin. ERR_AGAIN: not yet, but it is on its way; ERR_FAULT:
 * never. Called on any CPU, by several at a time, and under ept.lock: must not wait.
 */
struct far_range {
	u64 base, end; /* whole pages */
	err_t (*pin)(const struct partition *p, u64 page);
	void (*unpin)(const struct partition *p, u64 page);
};

/* far_add() - before the EPT is built. ERR_INVAL: not whole pages; ERR_BUSY: overlap; ERR_NOMEM:
 * FAR_RANGES_MAX. */
MUST_CHECK err_t far_add(struct partition *p, const struct far_range *r);

/* far_at() - the range that @at lies in; NULL: none. */
const struct far_range *far_at(const struct partition *p, u64 at);
