/* SPDX-License-Identifier: BSD-2-Clause */
/* See overlay_index.h. Pure. */
#include "core/mem/overlay_index.h"

#include "core/diag/panic.h"

/* The first at @page or above it; the list's count: none. */
static u32 find(const struct overlay_list *l, u64 page)
{
	u32 from = 0, left = READ_ONCE(l->count);

	while (left != 0) {
		u32 half = left / 2;

		if (READ_ONCE(l->at[from + half].gpa) < page) {
			from += half + 1;
			left -= half + 1;
		} else {
			left = half;
		}
	}
	return from;
}

struct overlay_at overlay_index_next(const struct overlay_index *x, u64 at)
{
	struct overlay_at next;
	u32 turn;

	do {
		const struct overlay_list *l;
		u32 i;

		turn = LOAD_ACQUIRE(x->turn);
		l = &x->list[turn & 1];
		i = find(l, at & PAGE_MASK);
		next = (struct overlay_at){ .gpa = ~0ull };
		if (i < READ_ONCE(l->count)) {
			next.gpa = READ_ONCE(l->at[i].gpa);
			next.overlay = READ_ONCE(l->at[i].overlay);
		}
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
	} while (unlikely(READ_ONCE(x->turn) != turn));
	return next;
}

struct overlay *overlay_index_other(const struct overlay_index *x, u64 gpa, const struct overlay *o)
{
	const struct overlay_list *l = overlay_index_list(x);

	for (u32 i = find(l, gpa); i < l->count && l->at[i].gpa == gpa; i++) {
		if (l->at[i].overlay != o)
			return l->at[i].overlay;
	}
	return NULL;
}

static void put(struct overlay_list *l, u32 i, struct overlay_at at)
{
	WRITE_ONCE(l->at[i].gpa, at.gpa);
	WRITE_ONCE(l->at[i].overlay, at.overlay);
}

static void insert(struct overlay_list *l, u64 gpa, struct overlay *o)
{
	u32 place = find(l, gpa);

	for (u32 i = l->count; i > place; i--)
		put(l, i, l->at[i - 1]);
	put(l, place, (struct overlay_at){ gpa, o });
	WRITE_ONCE(l->count, l->count + 1);
}

static void erase(struct overlay_list *l, u64 gpa, const struct overlay *o)
{
	u32 i = find(l, gpa);

	while (l->at[i].overlay != o)
		i++;
	for (; i + 1 < l->count; i++)
		put(l, i, l->at[i + 1]);
	WRITE_ONCE(l->count, l->count - 1);
}

/* Send the readers to the list that is unchanged or complete. Returns the other one. */
static struct overlay_list *exchange(struct overlay_index *x)
{
	u32 turn = __atomic_add_fetch(&x->turn, 1, __ATOMIC_SEQ_CST);

	return &x->list[(turn & 1) ^ 1];
}

static u64 filter_bit(u64 gpa)
{
	return gpa / PAGE_SIZE % OVERLAY_FILTER_BITS;
}

static void filter_set(struct overlay_index *x, u64 gpa, bool on)
{
	u64 bit = BIT64(filter_bit(gpa) % 64);
	u64 *word = &x->filter[filter_bit(gpa) / 64];

	WRITE_ONCE(*word, on ? *word | bit : *word & ~bit);
}

/* The filter is set before a reader can find the overlay, and cleared when none can any more. */
void overlay_index_add(struct overlay_index *x, u64 gpa, struct overlay *o)
{
	ASSERT(!overlay_index_is_full(x));
	filter_set(x, gpa, true);
	insert(exchange(x), gpa, o);
	insert(exchange(x), gpa, o);
}

void overlay_index_remove(struct overlay_index *x, u64 gpa, const struct overlay *o)
{
	const struct overlay_list *l = overlay_index_list(x);
	bool shared = false;

	erase(exchange(x), gpa, o);
	erase(exchange(x), gpa, o);
	for (u32 i = 0; i < l->count; i++)
		shared |= filter_bit(l->at[i].gpa) == filter_bit(gpa);
	if (!shared)
		filter_set(x, gpa, false);
}
