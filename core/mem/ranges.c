/* SPDX-License-Identifier: BSD-2-Clause */
/* See ranges.h. Pure. */
#include "core/mem/ranges.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/partition.h"

static bool has_ram(const struct partition *p, const struct page_range *r)
{
	u64 next;

	for (u64 at = r->base; at < r->end; at = next) {
		if (page_ground_at(p, at, &next) == PAGE_RAM)
			return true;
	}
	return false;
}

err_t range_add(struct partition *p, const struct page_range *r)
{
	if (r->base >= r->end || !IS_ALIGNED(r->base | r->end, PAGE_SIZE))
		return ERR_INVAL;
	for (u32 i = 0; i < p->range_count; i++) {
		if (r->base < p->ranges[i].end && p->ranges[i].base < r->end)
			return ERR_BUSY;
	}
	if (p->range_count == PAGE_RANGES_MAX)
		return ERR_NOMEM;
	p->ram_holes += has_ram(p, r);
	p->ranges[p->range_count++] = *r;
	gpa_forget_hint(p);
	return ERR_NONE;
}

const struct page_range *range_at(const struct partition *p, u64 at)
{
	for (u32 i = 0; i < p->range_count; i++) {
		if (at >= p->ranges[i].base && at < p->ranges[i].end)
			return &p->ranges[i];
	}
	return NULL;
}

/* Largest access of 1, 2, 4 or 8 bytes in @left. */
static u32 access_size(u32 left)
{
	return left >= 8 ? 8 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

void emul_mem_read(struct vp *vp, const struct emul_mem *mem, u64 at, void *buf, u32 len)
{
	u8 *to = buf;

	for (u32 n; len != 0; len -= n, at += n, to += n) {
		u64 part;

		n = access_size(len);
		part = mem->read(vp, at, n);
		(void)memcpy(to, &part, n);
	}
}

void emul_mem_write(struct vp *vp, const struct emul_mem *mem, u64 at, const void *buf, u32 len)
{
	const u8 *from = buf;

	for (u32 n; len != 0; len -= n, at += n, from += n) {
		u64 part = 0;

		n = access_size(len);
		(void)memcpy(&part, from, n);
		mem->write(vp, at, n, part);
	}
}
