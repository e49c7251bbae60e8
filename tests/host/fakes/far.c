/* SPDX-License-Identifier: BSD-2-Clause */
/* See far.h. Context: tests, one thread. */
#include "tests/host/fakes/far.h"

#include <stdlib.h>

#include "core/lib/bits.h"

struct fake_far fake_far;

static err_t far_pin(const struct partition *p, u64 page)
{
	if (!IS_ALIGNED(page, 4096u))
		abort();
	fake_far.page = page;
	fake_far.asked++;
	if (fake_far.never)
		return ERR_FAULT;
	if (fake_far.again != 0) {
		fake_far.again--;
		return ERR_AGAIN;
	}
	fake_far.pinned++;
	return ERR_NONE;
}

static void far_unpin(const struct partition *p, u64 page)
{
	if (fake_far.pinned-- <= 0)
		abort();
}

void fake_far_again(void)
{
	fake_far.again = 2;
	fake_far.asked = 0;
}

void fake_far_add(struct partition *p, u64 base, u64 end)
{
	static const struct far_owner far = { far_pin, far_unpin };
	const struct page_range r = { base, end, PAGE_FAR, .far = &far };

	fake_far = (struct fake_far){ 0 };
	fake_far_again();
	if (range_add(p, &r) != ERR_NONE)
		abort();
}
