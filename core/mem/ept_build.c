/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The partition's EPT: identity map of the machine with the holes of rules M1, M1b and I8, memory
 * types from the virtual MTRRs (rule M2). Pure; VP's CPU after the first entry.
 */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define EPT_ADDRESS_BITS 48u

enum gpa_class { GPA_MEMORY, GPA_DEVICE, GPA_ONES, GPA_EMULATED };

struct gpa_extent {
	u64 base, end;
	enum gpa_class class;
};

/* Places whose nature does not depend on the memory map. MEMORY here is ROM: executable. */
static const struct gpa_extent fixed_extents[] = {
	{ 0x00000000, 0x000a0000, GPA_MEMORY },  /* RAM; a BIOS may keep code there in no map */
	{ 0x000a0000, 0x000c0000, GPA_DEVICE },  /* VGA */
	{ 0x000c0000, 0x00100000, GPA_MEMORY },  /* option ROMs, BIOS */
	{ 0xfec00000, 0xfee00000, GPA_DEVICE },  /* I/O APIC, HPET, TPM */
	{ 0xfee00000, 0xfef00000, GPA_ONES },    /* rule I8 */
	{ 0xff000000, 0x100000000, GPA_MEMORY }, /* firmware flash */
};

struct search {
	u64 at, limit; /* the next extent above @at begins at @limit */
};

/* The extent of @e that holds s->at, NULL: none. */
static const struct gpa_extent *find_extent(struct search *s, const struct gpa_extent *e, u32 count)
{
	for (u32 i = 0; i < count; i++, e++) {
		if (s->at >= e->base && s->at < e->end)
			return e;
		if (e->base > s->at)
			s->limit = umin64(s->limit, e->base);
	}
	return NULL;
}

/* Nature of @at, and how far up it stays the same (@end). */
static enum gpa_class class_at(const struct partition *p, u64 at, u64 *end)
{
	const struct gpa_extent region = { p->region_base.v, p->region_base.v + p->region_len,
					   GPA_ONES };
	struct search s = { .at = at, .limit = ~0ull };
	const struct gpa_extent *found = find_extent(&s, &region, 1);
	struct gpa_extent emulated;

	for (u32 i = 0; found == NULL && i < p->emulated_count; i++) {
		emulated = (struct gpa_extent){ p->emulated[i].base, p->emulated[i].end,
						GPA_EMULATED };
		found = find_extent(&s, &emulated, 1);
	}
	if (found == NULL)
		found = find_extent(&s, fixed_extents, ARRAY_SIZE(fixed_extents));
	if (found != NULL) {
		*end = umin64(s.limit, found->end);
		return found->class;
	}
	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];
		u64 base = ALIGN_DOWN(e->base, PAGE_SIZE);
		u64 top = ALIGN_UP(e->base + e->len, PAGE_SIZE);

		if (at >= base && at < top) {
			*end = umin64(s.limit, top);
			return e820_is_memory(&p->memory, e) ? GPA_MEMORY : GPA_DEVICE;
		}
		if (base > at)
			s.limit = umin64(s.limit, base);
	}
	*end = s.limit;
	return GPA_DEVICE;
}

static u64 class_perms(enum gpa_class class)
{
	return class == GPA_MEMORY ? EPT_RWX : EPT_R | EPT_W; /* rule M1b */
}

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

static err_t map_ones(struct partition *p, u64 at, u64 end)
{
	for (; at < end; at += PAGE_SIZE)
		TRY(ept_map(&p->ept, gpa(at), p->ones_page, PAGE_SIZE, EPT_R, MT_WB));
	return ERR_NONE;
}

static err_t map_range(const struct mapper *m, u64 at, u64 end)
{
	u64 next;

	for (; at < end; at = next) {
		enum gpa_class class = class_at(m->p, at, &next);

		next = umin64(next, end);
		if (class == GPA_MEMORY || class == GPA_DEVICE)
			TRY(map_identity(m, at, next, class_perms(class)));
		else if (!m->retype && class == GPA_ONES)
			TRY(map_ones(m->p, at, next));
		else if (!m->retype)
			TRY(ept_unmap(&m->p->ept, gpa(at), next - at));
	}
	return ERR_NONE;
}

static u64 address_limit(const struct partition *p)
{
	return BIT64(umin32(p->machine.phys_bits, EPT_ADDRESS_BITS));
}

/* Special memory (persistent, a firmware's own types) waits for its first access, too. */
static bool is_used_from_the_start(u32 type)
{
	return type == E820_RAM || type == E820_ACPI || type == E820_NVS ||
	       type == E820_EFI_RUNTIME;
}

/* What is mapped from the start, whole GiBs. Firmware lists registers at any height, some below 1
 * TiB on every AMD machine: with the first access, or their tables would take the heap. */
static u64 eager_limit(const struct partition *p)
{
	u64 top = GIB(4);

	for (u32 i = 0; i < p->memory.count; i++) {
		const struct e820_entry *e = &p->memory.e[i];

		if (is_used_from_the_start(e->type))
			top = umax64(top, umin64(e->base + e->len, address_limit(p)));
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

/* Invariant 7: nothing that the guest may use overlaps us. */
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

static err_t map_apic_page(struct partition *p, u64 page)
{
	return ept_map(&p->ept, gpa(page), p->apic_access_page, PAGE_SIZE, EPT_R | EPT_W, MT_WB);
}

err_t ept_build_partition(struct partition *p)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };

	if (p->ept.root == NULL || !region_is_reserved(p))
		return ERR_INVAL;
	if (p->ones_page.v == 0)
		TRY(alloc_filled(&p->ones_page, 0xff));
	if (p->apic_access_page.v == 0)
		TRY(alloc_filled(&p->apic_access_page, 0));
	p->ept.top = eager_limit(p);
	TRY(map_range(&m, 0, p->ept.top));
	for (u32 i = 0; i < p->vp_count; i++) {
		u64 page = p->apic_page_gpa[i];

		if (page != 0)
			TRY(map_apic_page(p, page & PAGE_MASK));
	}
	return ERR_NONE;
}

err_t ept_map_lazy(struct partition *p, gpa_t at)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	err_t err = ERR_BUSY;

	if (at.v >= address_limit(p))
		return ERR_RANGE;
	if (emulated_at(p, at.v, 1) != NULL)
		return ERR_BUSY;
	spin_lock(&p->ept.lock);
	if (ept_walk(&p->ept, at).size == 0) {
		u64 size = ept_is_built(&p->ept, at) ? PAGE_SIZE : PAGE_SIZE_1G;
		u64 base = ALIGN_DOWN(at.v, size);

		p->ept.top = umax64(p->ept.top, base + size);
		err = map_range(&m, base, base + size);
	}
	spin_unlock(&p->ept.lock);
	return err; /* not-present entries are never cached: no INVEPT */
}

err_t ept_drop_page(struct partition *p, gpa_t at)
{
	gpa_t page = gpa(ALIGN_DOWN(at.v, PAGE_SIZE));
	err_t err = ERR_NONE;
	struct ept_leaf leaf;

	spin_lock(&p->ept.lock);
	leaf = ept_walk(&p->ept, page);
	if (leaf.size != 0 && leaf.hpa.v == page.v)
		err = ept_unmap(&p->ept, page, PAGE_SIZE);
	spin_unlock(&p->ept.lock);
	ept_flush(p);
	return err;
}

bool ept_is_ones(const struct partition *p, gpa_t at)
{
	u64 end;

	return class_at(p, at.v, &end) == GPA_ONES;
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
		/* Another VP was first, and may have stored already. No flush: the violation has
		 * dropped what this CPU had cached of the page. */
		spin_unlock(&p->ept.lock);
		return ERR_NONE;
	}
	err = scratch_alloc(p, &scratch);
	if (err == ERR_NONE)
		err = ept_map(&p->ept, page, scratch, PAGE_SIZE, EPT_R | EPT_W, MT_WB);
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

/* Whether some VP has its APIC page at @page. */
static bool apic_page_is_used(const struct partition *p, u64 page)
{
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->apic_page_gpa[i] == (page | 1))
			return true;
	}
	return false;
}

/*
 * What belongs at @page comes back, and tables that only it needed become large pages again: a
 * guest that moves its APIC for ever must not use up the heap.
 */
static err_t apic_page_leave(struct partition *p, u64 page)
{
	static const u64 sizes[] = { PAGE_SIZE_2M, PAGE_SIZE_1G };
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };

	TRY(map_range(&m, page, page + PAGE_SIZE));
	m.retype = true;
	for (u32 i = 0; i < ARRAY_SIZE(sizes); i++) {
		u64 base = ALIGN_DOWN(page, sizes[i]), end;
		enum gpa_class class = class_at(p, base, &end);

		if ((class == GPA_MEMORY || class == GPA_DEVICE) && end - base >= sizes[i])
			TRY(map_identity(&m, base, base + sizes[i], class_perms(class)));
	}
	return ERR_NONE;
}

/* In a GiB that nobody touched yet the page has neighbours: mapped now, they can merge later. */
static err_t apic_page_enter(struct partition *p, u64 page)
{
	struct mapper m = { .p = p, .mtrr = &p->vp[0]->mtrr };
	u64 gib = ALIGN_DOWN(page, PAGE_SIZE_1G);

	if (!ept_is_built(&p->ept, gpa(page))) {
		p->ept.top = umax64(p->ept.top, gib + PAGE_SIZE_1G);
		TRY(map_range(&m, gib, gib + PAGE_SIZE_1G));
	}
	return map_apic_page(p, page);
}

static err_t apic_page_move(struct partition *p, u64 old, u64 new)
{
	if (old != 0 && !apic_page_is_used(p, old & PAGE_MASK))
		TRY(apic_page_leave(p, old & PAGE_MASK));
	return new != 0 ? apic_page_enter(p, new &PAGE_MASK) : ERR_NONE;
}

/*
 * Declared in core/apic/vlapic.h. The page is mapped while the APIC is in xAPIC mode; where it was,
 * what belongs there comes back. Ends with INVEPT. Before the map is built it is only noted. VP's
 * CPU.
 */
void apic_page_remap(struct vp *vp)
{
	struct partition *p = vp->partition;
	u64 page = vp->apic.base_msr & APIC_BASE_ADDR;
	bool xapic = vlapic_is_hw_enabled(&vp->apic) && !vlapic_is_x2apic(&vp->apic);
	bool mapped = xapic && page < address_limit(p); /* beyond, no EPT reaches it */
	u64 old = p->apic_page_gpa[vp->index];
	u64 new = mapped ? page | 1 : 0;
	err_t err;

	/* A CPU that was given up while it came: its index is another's now. */
	if (new == old || partition_vp(p, vp->index) != vp)
		return;
	spin_lock(&p->ept.lock);
	p->apic_page_gpa[vp->index] = new;
	err = p->ept.root != NULL ? apic_page_move(p, old, new) : ERR_NONE;
	spin_unlock(&p->ept.lock);
	if (err != ERR_NONE)
		panic("no memory for EPT tables: the guest moved its APIC to 0x%llx",
		      new &PAGE_MASK);
	if (p->ept.root == NULL)
		return;
	if (p->hooks != NULL) /* before the flush: who still sees the old map sees the old page */
		p->hooks->map_changed(p);
	ept_flush(p);
}
