/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ranges of guest-physical pages that somebody owns, in place of what the memory map lists there:
 *
 *   emulated  EPT never maps them: a device model answers every access
 *   far       guest RAM (GPA = HPA) whose pages are fetched on demand. Asked for a page, the owner
 *             answers "here", "not now" or "never". EPT maps a page on the guest's first access,
 *             handlers use gpa_pin()
 *
 * Nothing in Kensho owns far memory yet: the class exists to test ERR_AGAIN. Pure.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/page_class.h"

struct partition;
struct vp;

#define PAGE_RANGES_MAX 6u

/* A device model. @size: 1, 2, 4 or 8; an access never crosses a page. Called on the VP's CPU,
 * for several VPs at a time. */
struct emul_mem {
	u64 (*read)(struct vp *vp, u64 gpa, u32 size);
	void (*write)(struct vp *vp, u64 gpa, u32 size, u64 val);
};

/*
 * @pin: make the page present until @unpin. ERR_AGAIN: not yet, but it is on its way; ERR_FAULT:
 * never. Called on any CPU, by several at a time, and under ept.lock: must not wait.
 */
struct far_owner {
	err_t (*pin)(const struct partition *p, u64 page);
	void (*unpin)(const struct partition *p, u64 page);
};

struct page_range {
	u64 base, end; /* whole pages */
	enum page_kind kind;
	const struct emul_mem *mem;  /* PAGE_EMULATED */
	const struct far_owner *far; /* PAGE_FAR */
};

/* range_add() - before the EPT is built, after the memory map. ERR_INVAL: not whole pages;
 * ERR_BUSY: overlap; ERR_NOMEM: PAGE_RANGES_MAX. */
MUST_CHECK err_t range_add(struct partition *p, const struct page_range *r);

/* emul_mem_read(), emul_mem_write() - @len bytes at @at that do not leave its page, as accesses of
 * 8, 4, 2 and 1 bytes, lowest address first. */
void emul_mem_read(struct vp *vp, const struct emul_mem *mem, u64 at, void *buf, u32 len);
void emul_mem_write(struct vp *vp, const struct emul_mem *mem, u64 at, const void *buf, u32 len);

/* range_at() - the range that @at lies in; NULL: none. */
const struct page_range *range_at(const struct partition *p, u64 at);

/* far_at(), emulated_at() - who owns the page of @at; NULL: it is of another class. */
static inline const struct far_owner *far_at(const struct partition *p, u64 at)
{
	const struct page_range *r = range_at(p, at);

	return r != NULL ? r->far : NULL;
}

static inline const struct emul_mem *emulated_at(const struct partition *p, u64 at)
{
	const struct page_range *r = range_at(p, at);

	return r != NULL ? r->mem : NULL;
}
