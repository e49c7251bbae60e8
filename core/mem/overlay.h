/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An overlay is a page of ours that the guest sees in place of the memory at an address (invariant
 * 6). The memory beneath keeps its contents, stays visible to DMA, and reappears when the overlay
 * goes.
 *
 * It always has a page behind it. All VPs share one EPT, so every VP sees every overlay: its owner,
 * the partition or a VP, only determines when it ends (overlay_reset()). Overlays may share an
 * address: the one mapped last is seen, and when it goes the one before it; mapping it again where
 * it is changes nothing. An APIC page shares its place only with others of the same page and
 * permissions.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/overlay_index.h"
#include "core/mem/page_class.h"

struct partition;
struct vp;

/* Static storage or part of its owner: readers on other CPUs take no lock. */
struct overlay {
	u64 place;  /* remote; GPA | 1; 0: nowhere. LOCK: ept.lock to write */
	hpa_t page; /* like the members below, fixed while mapped */
	u64 perms;  /* EPT_R | EPT_W | EPT_X, at least EPT_R, at most those of @kind's row; 0 for an
		     * APIC page that is emulated: every access violates */
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
 * overlay_map() - map @o at @gpa, and unmap it where it was. Before the EPT is built it is only
 * recorded. Tells the modules that the map has changed and ends with ept_flush(): hold no lock.
 * VP's CPU, or boot's.
 *
 * Failure changes nothing. ERR_INVAL: @gpa is not aligned, or @o has no page or wrong permissions;
 * ERR_RANGE: beyond the machine; ERR_BUSY: far memory is there, or an overlay of which one is an
 * APIC page, or what only an APIC page may cover, as its base register says so: the hypervisor's
 * region, the APIC window, a page with a live shared area; ERR_NOMEM: OVERLAYS_MAX, or no EPT
 * tables.
 */
MUST_CHECK err_t overlay_map(struct partition *p, struct overlay *o, u64 gpa);

/* overlay_unmap() - what is beneath reappears. Does nothing if @o is not mapped. Context as
 * above. */
void overlay_unmap(struct partition *p, struct overlay *o);

/* overlay_reset() - unmap all overlays of @vp; NULL: of the partition. */
void overlay_reset(struct partition *p, const struct vp *vp);

/* overlay_forbids_write() - the guest sees a page of ours at @at that it may only read: a write is
 * #GP(0), also an emulated one. Not of APIC pages. Any CPU, no lock. */
bool overlay_forbids_write(const struct partition *p, u64 at);

/* overlay_next() - the lowest overlay whose page ends above @at, and where it was found: it may
 * move meanwhile. Any CPU, no lock. */
struct overlay_at overlay_next(const struct partition *p, u64 at);
