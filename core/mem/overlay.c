/* SPDX-License-Identifier: BSD-2-Clause */
/* See overlay.h. Pure. */
#include "core/mem/overlay.h"

#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "core/diag/panic.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/gpa.h"
#include "core/mem/shared_area.h"
#include "core/partition.h"

struct overlay_at overlay_next(const struct partition *p, u64 at)
{
	return overlay_index_next(&p->overlays, at);
}

bool overlay_forbids_write(const struct partition *p, u64 at)
{
	struct overlay_at o = overlay_next(p, at);

	return o.gpa == ALIGN_DOWN(at, PAGE_SIZE) && o.overlay->kind == PAGE_OVERLAY &&
	       (o.overlay->perms & EPT_W) == 0;
}

/* An ABI leaves to us which of several of its pages is seen. */
static bool may_share(const struct overlay *a, const struct overlay *b)
{
	if (a->kind == PAGE_OVERLAY && b->kind == PAGE_OVERLAY)
		return true;
	return a->kind == b->kind && a->page.v == b->page.v && a->perms == b->perms;
}

static err_t check(const struct partition *p, const struct overlay *o, u64 gpa)
{
	const struct overlay *other = overlay_index_other(&p->overlays, gpa, o);
	enum page_kind ground;
	u64 end;

	if (!IS_ALIGNED(gpa, PAGE_SIZE) || o->page.v == 0 ||
	    ((o->perms & EPT_R) == 0 && (o->perms != 0 || o->kind != PAGE_APIC)) ||
	    (o->perms & ~page_class[o->kind].perms) != 0)
		return ERR_INVAL;
	ground = page_ground_at(p, gpa, &end);
	if (ground == PAGE_ABSENT)
		return ERR_RANGE;
	if (page_class[ground].backing == BACKING_ONES && o->kind != PAGE_APIC)
		return ERR_BUSY;
	if (o->kind != PAGE_APIC && shared_area_is_on_page(p, gpa))
		return ERR_BUSY;
	if (page_class[ground].backing == BACKING_LATE)
		return ERR_BUSY; /* the page is pinned by its EPT mapping: do not lose that */
	if (other != NULL && !may_share(other, o))
		return ERR_BUSY;
	return ERR_NONE;
}

static u32 is_on_ram(const struct partition *p, u64 place)
{
	u64 end;

	return place != 0 && page_ground_at(p, place & PAGE_MASK, &end) == PAGE_RAM;
}

/* LOCK: ept.lock. An overlay has gone from @at. */
static void uncover(struct partition *p, u64 at)
{
	const struct overlay *next = overlay_index_other(&p->overlays, at, NULL);
	err_t err;

	if (next == NULL)
		return ept_restore(p, gpa(at));
	err = ept_place(p, gpa(at), next->page, next->perms);
	ASSERT(err == ERR_NONE); /* its tables are there */
}

/* LOCK: ept.lock. Map the new place first: if that fails nothing has changed. */
static err_t move(struct partition *p, struct overlay *o, u64 place)
{
	u64 old = o->place;

	if (old == place) /* meanwhile: another VP has moved the same overlay */
		return ERR_NONE;
	if (place != 0 && old == 0 && overlay_index_is_full(&p->overlays))
		return ERR_NOMEM;
	if (place != 0 && p->ept.root != NULL)
		TRY(ept_place(p, gpa(place & PAGE_MASK), o->page, o->perms));
	WRITE_ONCE(p->ram_holes, p->ram_holes + is_on_ram(p, place) - is_on_ram(p, old));
	gpa_forget_hint(p);
	WRITE_ONCE(o->place, place);
	if (old != 0)
		overlay_index_remove(&p->overlays, old & PAGE_MASK, o);
	if (place != 0)
		overlay_index_add(&p->overlays, place & PAGE_MASK, o);
	if (old != 0 && p->ept.root != NULL)
		uncover(p, old & PAGE_MASK);
	return ERR_NONE;
}

/* Flush last: until then a CPU may still see the old page. */
static void changed(struct partition *p)
{
	if (p->ept.root == NULL)
		return;
	partition_map_changed(p);
	ept_flush(p);
	gpa_forget_hint(p);
}

err_t overlay_map(struct partition *p, struct overlay *o, u64 gpa)
{
	err_t err;

	/* Flush even if it is there already: another VP may have mapped it just now. */
	ept_make_room(p);
	spin_lock(&p->ept.lock);
	err = check(p, o, gpa);
	if (err == ERR_NONE)
		err = move(p, o, gpa | 1);
	spin_unlock(&p->ept.lock);
	if (err == ERR_NONE)
		changed(p);
	return err;
}

void overlay_unmap(struct partition *p, struct overlay *o)
{
	err_t err;

	if (o->place == 0)
		return;
	spin_lock(&p->ept.lock);
	err = move(p, o, 0);
	spin_unlock(&p->ept.lock);
	ASSERT(err == ERR_NONE); /* it has a slot, and takes no tables */
	changed(p);
}

/* One that @vp owns; NULL: none is left. */
static struct overlay *find_owned(struct partition *p, const struct vp *vp)
{
	const struct overlay_list *l;
	struct overlay *found = NULL;

	spin_lock(&p->ept.lock);
	l = overlay_index_list(&p->overlays);
	for (u32 i = 0; i < l->count && found == NULL; i++) {
		if (l->at[i].overlay->vp == vp)
			found = l->at[i].overlay;
	}
	spin_unlock(&p->ept.lock);
	return found;
}

void overlay_reset(struct partition *p, const struct vp *vp)
{
	struct overlay *o;

	while ((o = find_owned(p, vp)) != NULL)
		overlay_unmap(p, o);
}
