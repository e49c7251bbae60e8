/* SPDX-License-Identifier: BSD-2-Clause */
/* Far memory for tests: a page is there only after it was asked for some times. */
#pragma once

#include "core/partition.h"

struct fake_far {
	u32 again;  /* so many requests are answered ERR_AGAIN, the next with success */
	bool never; /* ERR_FAULT instead */
	u32 asked;  /* requests since fake_far_add() */
	s32 pinned; /* pins that were not given back */
	u64 page;   /* of the last request */
};

extern struct fake_far fake_far;

/* fake_far_add() - [@base, @end) of @p's RAM is far memory from now on, whose first two requests
 * are answered ERR_AGAIN. Before the EPT is built, or its pages are unmapped. */
void fake_far_add(struct partition *p, u64 base, u64 end);

/* fake_far_again() - the same for the requests to come. */
void fake_far_again(void);
