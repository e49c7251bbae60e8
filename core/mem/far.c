/* SPDX-License-Identifier: BSD-2-Clause */
/* See far.h. Pure. */
#include "core/mem/far.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/gpa.h"
#include "core/partition.h"

err_t far_add(struct partition *p, const struct far_range *r)
{
	if (r->base >= r->end || !IS_ALIGNED(r->base | r->end, PAGE_SIZE))
		return ERR_INVAL;
	for (u32 i = 0; i < p->far_count; i++) {
		if (r->base < p->far[i].end && p->far[i].base < r->end)
			return ERR_BUSY;
	}
	if (p->far_count == FAR_RANGES_MAX)
		return ERR_NOMEM;
	p->far[p->far_count++] = *r;
	p->ram_holes++;
	gpa_forget_hint(p);
	return ERR_NONE;
}

const struct far_range *far_at(const struct partition *p, u64 at)
{
	for (u32 i = 0; i < p->far_count; i++) {
		if (at >= p->far[i].base && at < p->far[i].end)
			return &p->far[i];
	}
	return NULL;
}
