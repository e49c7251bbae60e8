/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Overlays: a page of ours that the guest sees in place of what is at an address (invariant 6). The
 * memory beneath keeps its contents, DMA sees it, and it is back when the overlay leaves.
 *
 * An overlay always has a page behind it. It belongs to the partition or to one VP; all VPs share
 * one EPT, so what one VP maps there every VP sees: an owner says when it ends (overlay_reset()),
 * not who sees it. Overlays of one page with the same permissions may lie at one address and share
 * the mapping: it stays until the last of them leaves.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/page_class.h"

struct partition;
struct vp;

#define OVERLAYS_MAX 80u /* an APIC page per VP, and some */

/* Static storage or part of its owner: readers on other CPUs take no lock. */
struct overlay {
	u64 place;  /* remote; GPA | 1; 0: nowhere. LOCK: ept.lock to write */
	hpa_t page; /* fixed while it is mapped, and what follows */
	u64 perms;  /* EPT_R | EPT_W | EPT_X, at least EPT_R; within those of @kind's row */
	enum page_kind kind; /* PAGE_APIC or PAGE_OVERLAY */
	const struct vp *vp; /* owner; NULL: the partition */
};

static inline bool overlay_is_mapped(const struct overlay *o)
{
	return READ_ONCE(o->place) != 0;
}

static inline u64 overlay_gpa(const struct overlay *o)
{
	return READ_ONCE(o->place) & ~1ull;
}

/**
 * overlay_map() - @o appears at @gpa, and disappears where it was. Before the EPT is built it is
 * only noted. Tells the modules that the map has changed, and ends with ept_flush(): the caller
 * holds no lock. VP's CPU, or boot's.
 *
 * A refusal changes nothing. ERR_INVAL: @gpa is no page, @o has none or too many permissions;
 * ERR_RANGE: beyond the machine; ERR_BUSY: another page's overlay is there, or (but for an APIC
 * page, which is where its base register says) the hypervisor's region or the APIC window, or it is
 * far memory; ERR_NOMEM: OVERLAYS_MAX, or no EPT tables.
 */
MUST_CHECK err_t overlay_map(struct partition *p, struct overlay *o, u64 gpa);

/* overlay_unmap() - what belongs there comes back; nothing when @o is nowhere. Context as above. */
void overlay_unmap(struct partition *p, struct overlay *o);

/* overlay_reset() - unmap all that belong to @vp, NULL: to the partition. */
void overlay_reset(struct partition *p, const struct vp *vp);

/* overlay_next() - the lowest overlay whose page ends above @at, NULL: none. Any CPU, no lock. */
const struct overlay *overlay_next(const struct partition *p, u64 at);
