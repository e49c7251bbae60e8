/* SPDX-License-Identifier: BSD-2-Clause */
/* Decides which registered addresses may be written. Any CPU. */
#include "core/mem/shared_area.h"

#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/mem/gpa.h"
#include "core/partition.h"

#define PAGE_BYTES 4096u

/*
 * LOCK: ept.lock. Only RAM that the guest sees at its own address will do: under an overlay it
 * would not see our writes, and it must never make us write to the hypervisor region.
 */
static void *find(const struct partition *p, const struct shared_area *a)
{
	struct ept_leaf leaf;
	struct gpa_pin pin;

	if (a->len == 0 || !IS_ALIGNED(a->gpa, 4u) || a->gpa % PAGE_BYTES + a->len > PAGE_BYTES)
		return NULL;
	leaf = ept_walk(&p->ept, gpa(a->gpa));
	if (leaf.size == 0 || leaf.hpa.v != a->gpa || (leaf.perms & EPT_R) == 0 ||
	    (leaf.perms & EPT_W) == 0 ||
	    gpa_pin(p, gpa(a->gpa), a->len, GPA_NAMED, &pin) != ERR_NONE)
		return NULL;
	/* No pin needed: a mapped page stays until the map changes, and then we check again. */
	gpa_unpin(p, &pin);
	return pin.mem;
}

bool shared_area_would_be_live(struct partition *p, u64 gpa, u32 len)
{
	const struct shared_area a = { .gpa = gpa, .len = len };
	bool is_good;

	spin_lock(&p->ept.lock);
	is_good = find(p, &a) != NULL;
	spin_unlock(&p->ept.lock);
	return is_good;
}

void shared_area_check_all(struct partition *p)
{
	spin_lock(&p->ept.lock);
	for (struct shared_area *a = p->shared_areas; a != NULL; a = a->next)
		WRITE_ONCE(a->mem, find(p, a));
	spin_unlock(&p->ept.lock);
}

bool shared_area_is_on_page(const struct partition *p, u64 gpa)
{
	for (const struct shared_area *a = p->shared_areas; a != NULL; a = a->next) {
		if (a->mem != NULL && ALIGN_DOWN(a->gpa, PAGE_BYTES) == gpa)
			return true;
	}
	return false;
}

/* LOCK: ept.lock */
static void add(struct partition *p, struct shared_area *a)
{
	a->next = p->shared_areas;
	a->link = &p->shared_areas;
	if (a->next != NULL)
		a->next->link = &a->next;
	p->shared_areas = a;
}

/* LOCK: ept.lock */
static void drop(struct shared_area *a)
{
	*a->link = a->next;
	if (a->next != NULL)
		a->next->link = a->link;
}

err_t shared_area_set(struct partition *p, struct shared_area *a, u64 gpa, u32 len)
{
	void *mem;

	ASSERT(len != 0 && len <= PAGE_BYTES);
	spin_lock(&p->ept.lock);
	if (a->len == 0)
		add(p, a);
	a->gpa = gpa;
	a->len = len;
	mem = find(p, a);
	WRITE_ONCE(a->mem, mem);
	spin_unlock(&p->ept.lock);
	return mem != NULL ? ERR_NONE : ERR_FAULT;
}

void shared_area_clear(struct partition *p, struct shared_area *a)
{
	spin_lock(&p->ept.lock);
	if (a->len != 0)
		drop(a);
	WRITE_ONCE(a->mem, NULL);
	a->gpa = 0;
	a->len = 0;
	spin_unlock(&p->ept.lock);
}
