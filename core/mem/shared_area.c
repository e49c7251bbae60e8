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

void shared_area_check(struct partition *p, struct shared_area *a)
{
	spin_lock(&p->ept.lock);
	WRITE_ONCE(a->mem, find(p, a));
	spin_unlock(&p->ept.lock);
}

/* Under the lock: another CPU may be in shared_area_check() for the same area. */
static void assign(struct partition *p, struct shared_area *a, u64 gpa, u32 len)
{
	spin_lock(&p->ept.lock);
	WRITE_ONCE(a->mem, NULL);
	a->gpa = gpa;
	a->len = len;
	spin_unlock(&p->ept.lock);
}

err_t shared_area_set(struct partition *p, struct shared_area *a, u64 gpa, u32 len)
{
	ASSERT(len != 0 && len <= PAGE_BYTES);
	assign(p, a, gpa, len);
	shared_area_check(p, a);
	return shared_area_is_live(a) ? ERR_NONE : ERR_FAULT;
}

void shared_area_clear(struct partition *p, struct shared_area *a)
{
	assign(p, a, 0, 0);
}
