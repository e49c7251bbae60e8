/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Far memory: RAM of the guest whose pages are brought when somebody asks for them. The owner of
 * the range answers "here it is", "not now", "never"; EPT maps a page with the guest's first access
 * to it, handlers get at it through gpa_pin(). Pages come to their own address (GPA = HPA).
 *
 * Kensho has no owner of far memory yet: it is the class that tests the answer ERR_AGAIN.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

struct partition;

#define FAR_RANGES_MAX 2u

/*
 * @pin: the page at @page is there and stays until @unpin. ERR_AGAIN: not now, but it is on its
 * way; ERR_FAULT: never. Any CPU, several at a time; may be called under ept.lock and must not
 * wait.
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
