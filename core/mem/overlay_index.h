/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mapped overlays by address. Readers take no lock: there are two sorted lists, they use one
 * while the writer changes the other, and look again if the lists were exchanged meanwhile. So
 * nobody waits for a writer, and no overlay is missed because another one comes or goes.
 *
 * Context: reading, any CPU; the rest under ept.lock.
 */
#pragma once

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct overlay;

#define OVERLAYS_MAX 1040u /* an APIC page and three pages of an ABI per VP, and some */

struct overlay_at {
	u64 gpa;                 /* ~0: none */
	struct overlay *overlay; /* NULL: none */
};

struct overlay_list {
	u32 count;
	struct overlay_at at[OVERLAYS_MAX]; /* ascending; of one address the last one first */
};

#define OVERLAY_FILTER_BITS 4096u

struct overlay_index {
	u32 turn; /* readers use list[turn & 1] */
	struct overlay_list list[2];
	u64 filter[OVERLAY_FILTER_BITS / 64]; /* overlay_index_may_be_at() */
};

/* overlay_index_next() - the lowest one whose page ends above @at; of several there the last. */
struct overlay_at overlay_index_next(const struct overlay_index *x, u64 at);

/*
 * overlay_index_may_be_at() - false: none covers @at, for certain. One bit for all pages whose
 * numbers agree in their low bits: the answer for nearly all pages costs no search.
 */
static inline bool overlay_index_may_be_at(const struct overlay_index *x, u64 at)
{
	u64 page = at / PAGE_SIZE % OVERLAY_FILTER_BITS;

	return (READ_ONCE(x->filter[page / 64]) & BIT64(page % 64)) != 0;
}

/* overlay_index_other() - the last one at @gpa that is not @o; NULL: none. */
struct overlay *overlay_index_other(const struct overlay_index *x, u64 gpa,
				    const struct overlay *o);

/* overlay_index_add() - there is room: overlay_index_is_full(). */
void overlay_index_add(struct overlay_index *x, u64 gpa, struct overlay *o);

/* overlay_index_remove() - @o is there, at @gpa. */
void overlay_index_remove(struct overlay_index *x, u64 gpa, const struct overlay *o);

/* overlay_index_list() - all of them. */
static inline const struct overlay_list *overlay_index_list(const struct overlay_index *x)
{
	return &x->list[x->turn & 1];
}

static inline bool overlay_index_is_full(const struct overlay_index *x)
{
	return overlay_index_list(x)->count == OVERLAYS_MAX;
}
