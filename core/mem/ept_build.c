/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The partition's EPT: identity map of the machine with the holes of rules M1, M1b and I8, memory
 * types from the virtual MTRRs (rule M2). Pure; VP's CPU after the first entry.
 */
#include "arch/x86/defs/paging.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_class.h"
#include "core/partition.h"
#include "core/vp/vp.h"

/* Whether [base, base+size) maps to itself with @perms everywhere: no overlay in it. */
static bool is_identity(const struct ept *e, u64 base, u64 size, u64 perms)
{
	struct ept_leaf leaf;

	for (u64 at = base; at < base + size; at += leaf.size) {
		leaf = ept_walk(e, gpa(at));
		if (leaf.size == 0 || leaf.hpa.v != at || leaf.perms != perms)
			return false;
		leaf.size -= at & (leaf.size - 1);
	}
	return true;
}

static bool has_overlay(const struct partition *p, u64 base, u64 size)
{
	return overlay_next(p, base).gpa - base < size;
}

struct mapper {
	struct partition *p;
	const struct mtrr_state *mtrr;
	bool retype; /* only change types of identity mappings */
};

/* Largest page at @at, below @end, with one memory type. */
static u64 chunk_size(const struct mapper *m, u64 at, u64 end, u64 perms, u8 *type)
{
	static const u64 sizes[] = { PAGE_SIZE_1G, PAGE_SIZE_2M };
	const struct ept *e = &m->p->ept;

	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 size = sizes[i];
		bool uniform = true;

		if ((i == 0 && !e->has_1g) || !e->has_2m || !IS_ALIGNED(at, size) ||
		    end - at < size)
			continue;
		*type = mtrr_type(m->mtrr, at, size, &uniform);
		if (uniform && (!m->retype || is_identity(e, at, size, perms)))
			return size;
	}
	*type = mtrr_type(m->mtrr, at, PAGE_SIZE, NULL);
	return PAGE_SIZE;
}

/* Identity-map [at, end), which has one nature. */
static err_t map_identity(const struct mapper *m, u64 at, u64 end, u64 perms)
{
	struct ept *e = &m->p->ept;
	u64 size;
	u8 type;

	for (; at < end; at += size) {
		if (m->retype && ept_walk(e, gpa(at)).size == 0) {
			/* Not mapped yet, or dropped. */
			size = ept_is_built(e, gpa(at)) ? PAGE_SIZE : PAGE_SIZE_1G;
			size -= at & (size - 1);
			continue;
		}
		size = chunk_size(m, at, end, perms, &type);
		if (m->retype && size == PAGE_SIZE && !is_identity(e, at, size, perms))
			continue; /* an overlay keeps its type */
		TRY(ept_map(e, gpa(at), hpa(at), size, perms, type));
	}
	return ERR_NONE;
}

/* @perms: 0: a hole, which ept_map_lazy() must not fill. */
static err_t map_own(struct partition *p, gpa_t page, hpa_t own, u64 perms)
{
	if (perms == 0)
		return ept_unmap(&p->ept, page, PAGE_SIZE);
	return ept_map(&p->ept, page, own, PAGE_SIZE, perms, MT_WB);
}

static err_t map_ones(struct partition *p, u64 at, u64 end, u64 perms)
{
	for (; at < end; at += PAGE_SIZE)
		TRY(map_own(p, gpa(at), p->ones_page, perms));
	return ERR_NONE;
}

static err_t map_range(const struct mapper *m, u64 at, u64 end)
{
	u64 next;

	for (; at < end; at = next) {
		const struct page_class *c = &page_class[page_ground_at(m->p, at, &next)];

		next = umin64(next, end);
		if (c->backing == BACKING_SAME || (m->retype && c->backing == BACKING_LATE))
			TRY(map_identity(m, at, next, c->perms));
		else if (!m->retype && c->backing == BACKING_ONES)
			TRY(map_ones(m->p, at, next, c->perms));
		else if (!m->retype)
			TRY(ept_unmap(&m->p->ept, gpa(at), next - at));
	}
	return ERR_NONE;
}

/* Other memory (persistent, firmware's own types) is mapped on its first access. */
static bool is_used_from_the_start(u32 type)
{
	return type == E820_RAM || type == E820_ACPI || type == E820_NVS ||
	       type == E820_EFI_RUNTIME;
}

/* Where the map of the start ends, in whole GiBs. Firmware lists registers anywhere, on every
 * AMD machine some just below 1 TiB: mapping up to those would use up the heap on tables. */
static u64 eager_limit(const struct partition *p)
{
	u64 top = GIB(4);

	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (is_used_from_the_start(e->type))
			top = umax64(top, umin64(e->base + e->len, page_address_limit(p)));
	}
	return ALIGN_UP(top, PAGE_SIZE_1G);
}

static err_t alloc_filled(hpa_t *out, int fill)
{
	void *page = page_alloc();

	if (page == NULL)
		return ERR_NOMEM;
	(void)memset(page, fill, PAGE_SIZE);
	*out = hw_virt_to_phys(page);
	return ERR_NONE;
}

/* Invariant 7: no memory that the guest may use overlaps us. */
static bool region_is_reserved(const struct partition *p)
{
	u64 base = p->region_base.v;

	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (e->type != E820_RESERVED && e->base < base + p->region_len &&
		    base < e->base + e->len)
			return false;
	}
	return true;
}

err_t ept_build_partition(struct partition *p)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	struct overlay_at o;

	if (p->ept.root == NULL || !region_is_reserved(p))
		return ERR_INVAL;
	if (p->ones_page.v == 0)
		TRY(alloc_filled(&p->ones_page, 0xff));
	p->ept.top = eager_limit(p);
	p->ept.lazy_from = p->ept.top;
	TRY(map_range(&m, 0, p->ept.top));
	for (u64 at = 0; (o = overlay_next(p, at)).overlay != NULL; at = o.gpa + PAGE_SIZE)
		TRY(map_own(p, gpa(o.gpa), o.overlay->page, o.overlay->perms));
	return ERR_NONE;
}

/* LOCK: ept.lock */
static err_t map_gib(const struct mapper *m, u64 at)
{
	u64 gib = ALIGN_DOWN(at, PAGE_SIZE_1G);

	m->p->ept.top = umax64(m->p->ept.top, gib + PAGE_SIZE_1G);
	return map_range(m, gib, gib + PAGE_SIZE_1G);
}

/* The page stays pinned while it is mapped. */
static err_t map_far(struct partition *p, u64 page)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	const struct far_owner *far = far_at(p, page);
	err_t err = ERR_NONE;

	ASSERT(far != NULL); /* the class of the page says so */
	TRY(far->pin(p, page));
	spin_lock(&p->ept.lock);
	if (!ept_is_built(&p->ept, gpa(page)))
		err = map_gib(&m, page);
	if (err == ERR_NONE && ept_walk(&p->ept, gpa(page)).size != 0)
		err = ERR_BUSY;
	if (err == ERR_NONE)
		err = map_identity(&m, page, page + PAGE_SIZE, page_class[PAGE_FAR].perms);
	spin_unlock(&p->ept.lock);
	if (err != ERR_NONE)
		far->unpin(p, page);
	else
		partition_map_changed(p); /* a shared area may have waited for it */
	return err;
}

err_t ept_map_lazy(struct partition *p, gpa_t at)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	const struct page_class *c;
	err_t err = ERR_BUSY;
	u64 end;

	if (at.v >= page_address_limit(p))
		return ERR_RANGE;
	c = &page_class[page_ground_at(p, ALIGN_DOWN(at.v, PAGE_SIZE), &end)];
	if (c->perms == 0)
		return ERR_BUSY;
	ept_make_room(p);
	if (c->backing == BACKING_LATE)
		return map_far(p, ALIGN_DOWN(at.v, PAGE_SIZE));
	spin_lock(&p->ept.lock);
	if (ept_walk(&p->ept, at).size == 0 &&
	    !has_overlay(p, ALIGN_DOWN(at.v, PAGE_SIZE), PAGE_SIZE)) {
		u64 page = ALIGN_DOWN(at.v, PAGE_SIZE);

		err = ept_is_built(&p->ept, at) ? map_range(&m, page, page + PAGE_SIZE)
						: map_gib(&m, page);
	}
	spin_unlock(&p->ept.lock);
	return err; /* not-present entries are never cached: no INVEPT */
}

err_t ept_drop_page(struct partition *p, gpa_t at)
{
	gpa_t page = gpa(ALIGN_DOWN(at.v, PAGE_SIZE));
	const struct far_owner *far = NULL;
	err_t err = ERR_NONE;
	struct ept_leaf leaf;

	spin_lock(&p->ept.lock);
	leaf = ept_walk(&p->ept, page);
	if (leaf.size != 0 && leaf.hpa.v == page.v) {
		err = ept_unmap(&p->ept, page, PAGE_SIZE);
		if (err == ERR_NONE)
			far = far_at(p, page.v);
	}
	spin_unlock(&p->ept.lock);
	ept_flush(p);
	if (far != NULL) /* only after the flush: CPUs may have it cached */
		far->unpin(p, page.v);
	return err;
}

static err_t scratch_alloc(struct partition *p, hpa_t *out)
{
	if (p->scratch_count < SCRATCH_PAGES_MAX) {
		TRY(alloc_filled(out, 0xff));
		p->scratch_pages[p->scratch_count++] = *out;
		return ERR_NONE;
	}
	if (p->scratch_page.v == 0)
		TRY(alloc_filled(&p->scratch_page, 0xff));
	*out = p->scratch_page;
	return ERR_NONE;
}

err_t ept_map_scratch(struct partition *p, gpa_t at)
{
	gpa_t page = gpa(ALIGN_DOWN(at.v, PAGE_SIZE));
	hpa_t scratch;
	err_t err;

	spin_lock(&p->ept.lock);
	if ((ept_walk(&p->ept, page).perms & EPT_W) != 0) {
		/* Another VP was first and may have stored to its page already: keep it. No
		 * flush: an EPT violation invalidates this CPU's cached mappings of the page. */
		spin_unlock(&p->ept.lock);
		return ERR_NONE;
	}
	err = scratch_alloc(p, &scratch);
	if (err == ERR_NONE)
		err = map_own(p, page, scratch, page_class[PAGE_SCRATCH].perms);
	spin_unlock(&p->ept.lock);
	ept_flush(p);
	return err;
}

err_t ept_retype(struct partition *p, const struct mtrr_state *mtrr)
{
	struct mapper m = { .p = p, .mtrr = mtrr, .retype = true };
	err_t err;

	spin_lock(&p->ept.lock);
	err = map_range(&m, 0, p->ept.top);
	spin_unlock(&p->ept.lock);
	return err;
}

/* Map the rest of an untouched GiB first: then ept_restore() can merge its tables again. */
err_t ept_place(struct partition *p, gpa_t page, hpa_t own, u64 perms)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };

	if (!ept_is_built(&p->ept, page))
		TRY(map_gib(&m, page.v));
	return map_own(p, page, own, perms);
}

/* Tables that only the page needed become large pages again: a guest that moves its APIC for ever
 * must not use up the heap. */
void ept_restore(struct partition *p, gpa_t page)
{
	static const u64 sizes[] = { PAGE_SIZE_2M, PAGE_SIZE_1G };
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	err_t err = map_range(&m, page.v, page.v + PAGE_SIZE);

	m.retype = true;
	for (u32 i = 0; err == ERR_NONE && i < ARRAY_SIZE(sizes); i++) {
		u64 base = ALIGN_DOWN(page.v, sizes[i]), size = sizes[i], end;
		const struct page_class *c = &page_class[page_ground_at(p, base, &end)];
		u8 type;

		if (has_overlay(p, base, size))
			break;
		if (c->backing == BACKING_SAME && end - base >= size &&
		    chunk_size(&m, base, base + size, c->perms, &type) == size)
			err = ept_map(&p->ept, gpa(base), hpa(base), size, c->perms, type);
	}
	ASSERT(err == ERR_NONE); /* its tables exist */
}
