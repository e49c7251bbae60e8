/* SPDX-License-Identifier: BSD-2-Clause */
/* See emulated.h. Pure. */
#include "core/mem/emulated.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/partition.h"

err_t emulated_add(struct partition *p, const struct emulated_range *r)
{
	if (r->base >= r->end || !IS_ALIGNED(r->base | r->end, PAGE_SIZE))
		return ERR_INVAL;
	for (u32 i = 0; i < p->emulated_count; i++) {
		if (r->base < p->emulated[i].end && p->emulated[i].base < r->end)
			return ERR_BUSY;
	}
	if (p->emulated_count == EMULATED_RANGES_MAX)
		return ERR_NOMEM;
	p->emulated[p->emulated_count++] = *r;
	return ERR_NONE;
}

const struct emul_mem *emulated_at(const struct partition *p, u64 at, u64 len)
{
	if ((at & (PAGE_SIZE - 1)) + len > PAGE_SIZE)
		return NULL;
	for (u32 i = 0; i < p->emulated_count; i++) {
		if (at >= p->emulated[i].base && at < p->emulated[i].end)
			return p->emulated[i].mem;
	}
	return NULL;
}
