/* SPDX-License-Identifier: BSD-2-Clause */
/* Gives tables of far addresses back to the heap before it is used up. Pure. Context: as
 * ept_flush().
 */
#include "arch/x86/defs/paging.h"
#include "core/mem/ept.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_class.h"
#include "core/partition.h"

/* Enough for a GiB at new addresses, and to split pages for every MTRR. */
#define PAGES_KEPT 32u

/* One flush serves so many. Few enough that what a single instruction needs stays for a round. */
#define GIBS_AT_ONCE 8u

/* Nothing but identity mappings, which the next access brings back: an overlay needs its tables,
 * and far memory is pinned by its mapping. */
static bool is_recyclable(const struct partition *p, u64 gib)
{
	u64 end = gib + PAGE_SIZE_1G, next;

	if (overlay_next(p, gib).gpa < end)
		return false;
	for (u64 at = gib; at < end; at = next) {
		if (page_class[page_ground_at(p, at, &next)].backing == BACKING_LATE)
			return false;
	}
	return true;
}

/* The GiB that was mapped longest ago, for a guest that goes upwards; for others any one: the
 * search goes on where the last one ended. ~0: none. LOCK: ept.lock */
static u64 oldest_gib(struct partition *p)
{
	struct ept *e = &p->ept;
	u64 from = umax64(e->recycle_at, e->lazy_from);

	for (u64 gib = from; (gib = ept_next_gib(e, gib)) < e->top; gib += PAGE_SIZE_1G) {
		if (is_recyclable(p, gib))
			return gib;
	}
	for (u64 gib = e->lazy_from; (gib = ept_next_gib(e, gib)) < from; gib += PAGE_SIZE_1G) {
		if (is_recyclable(p, gib))
			return gib;
	}
	return ~0ull;
}

/* Whether anything was unmapped. */
static bool drop_gibs(struct partition *p)
{
	u32 n = 0;

	spin_lock(&p->ept.lock);
	for (; n < GIBS_AT_ONCE; n++) {
		u64 gib = oldest_gib(p);

		if (gib == ~0ull)
			break;
		ept_unmap_gib(&p->ept, gpa(gib));
		p->ept.recycle_at = gib + PAGE_SIZE_1G;
	}
	spin_unlock(&p->ept.lock);
	return n != 0;
}

void ept_make_room(struct partition *p)
{
	if (likely(page_free_count() >= PAGES_KEPT) || p->ept.root == NULL)
		return;
	if (drop_gibs(p))
		ept_flush(p);
}
