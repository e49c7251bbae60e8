/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Physical memory maps. Boot time, pure. Every entry ends below 2^64 (e820_add() cuts the last
 * byte), so base + len never wraps here.
 */
#include "core/mem/e820.h"

#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define VGA_WINDOW     0xa0000ull
#define VGA_WINDOW_END 0xc0000ull

static u64 entry_end(const struct e820_entry *e)
{
	return e->base + e->len;
}

static u64 cut_wrap(u64 base, u64 len)
{
	return len > ~0ull - base ? ~0ull - base : len;
}

/* If entries contradict each other the type that must not be touched wins, then the larger
 * number. */
static u64 type_rank(u32 type)
{
	u64 rank;

	switch (type) {
	case E820_RAM:
		rank = 0;
		break;
	case E820_ACPI:
		rank = 1;
		break;
	case E820_NVS:
		rank = 2;
		break;
	case E820_RESERVED:
		rank = 3;
		break;
	case E820_UNUSABLE:
		rank = 5;
		break;
	default:
		rank = 4;
		break;
	}
	return rank << 32 | type;
}

u32 e820_foreign_type(u32 type)
{
	return type == 0 || type == E820_EFI_RUNTIME || type == E820_EFI_MMIO ? E820_RESERVED
									      : type;
}

static void entry_remove(struct e820_map *m, u32 at)
{
	m->count--;
	memmove(&m->e[at], &m->e[at + 1], (m->count - at) * sizeof(m->e[0]));
}

/* Insert in order of base. The caller has checked for a free slot. */
static void entry_insert(struct e820_map *m, struct e820_entry e)
{
	u32 at = m->count;

	for (; at > 0 && m->e[at - 1].base > e.base; at--)
		m->e[at] = m->e[at - 1];
	m->e[at] = e;
	m->count++;
}

err_t e820_add(struct e820_map *m, u64 base, u64 len, u32 type)
{
	len = cut_wrap(base, len);
	if (len == 0)
		return ERR_NONE;
	if (m->count >= E820_MAX)
		return ERR_NOMEM;
	m->e[m->count++] = (struct e820_entry){ .base = base, .len = len, .type = type };
	return ERR_NONE;
}

static void map_sort(struct e820_map *m)
{
	u32 count = m->count;

	m->count = 0;
	for (u32 i = 0; i < count; i++)
		entry_insert(m, m->e[i]);
}

static void map_join(struct e820_map *m)
{
	for (u32 i = 0; i + 1 < m->count;) {
		struct e820_entry *a = &m->e[i];
		struct e820_entry *b = &m->e[i + 1];

		if (a->type != b->type || entry_end(a) != b->base) {
			i++;
			continue;
		}
		a->len += b->len;
		entry_remove(m, i + 1);
	}
}

void e820_public(const struct e820_map *m, struct e820_map *out)
{
	*out = *m;
	for (u32 i = 0; i < out->count; i++)
		out->e[i].type = e820_foreign_type(out->e[i].type);
	map_join(out);
}

bool e820_is_memory(const struct e820_map *m, const struct e820_entry *e)
{
	if (e->type == E820_EFI_MMIO)
		return false;
	if (e->type != E820_RESERVED)
		return true;
	return e->base <= e820_ram_top(m, e->base < GIB(4) ? GIB(4) : ~0ull);
}

struct e820_spans e820_physmap(const struct e820_entry *e)
{
	u64 end = entry_end(e);

	switch (e->type) {
	case E820_RAM:
	case E820_ACPI:
	case E820_NVS:
	case E820_EFI_RUNTIME:
		return (struct e820_spans){ { { e->base, end } } };
	case E820_RESERVED:
		return (struct e820_spans){ { { e->base, umin64(end, VGA_WINDOW) },
					      { umax64(e->base, VGA_WINDOW_END),
						umin64(end, MIB(1)) } } };
	default: /* a firmware's own number, not an enum */
		return (struct e820_spans){ 0 };
	}
}

/* Entries @i and @i + 1 overlap: leave each byte with one of them. */
static err_t resolve_pair(struct e820_map *m, u32 i)
{
	struct e820_entry a = m->e[i];
	struct e820_entry b = m->e[i + 1];
	u64 a_end = entry_end(&a);
	u64 b_end = entry_end(&b);

	if (type_rank(a.type) >= type_rank(b.type)) {
		entry_remove(m, i + 1);
		if (b_end > a_end)
			entry_insert(m, (struct e820_entry){ a_end, b_end - a_end, b.type });
		return ERR_NONE;
	}
	if (a_end > b_end) {
		if (m->count >= E820_MAX)
			return ERR_NOMEM;
		m->e[i].len = b.base - a.base;
		entry_insert(m, (struct e820_entry){ b_end, a_end - b_end, a.type });
	}
	m->e[i].len = b.base - a.base;
	if (m->e[i].len == 0)
		entry_remove(m, i);
	return ERR_NONE;
}

err_t e820_normalise(struct e820_map *m)
{
	map_sort(m);
	for (u32 i = 0; i + 1 < m->count;) {
		if (entry_end(&m->e[i]) <= m->e[i + 1].base) {
			i++;
			continue;
		}
		TRY(resolve_pair(m, i));
		/* A cut entry may now overlap its left neighbour. */
		if (i > 0)
			i--;
	}
	map_join(m);
	return ERR_NONE;
}

err_t e820_reserve(struct e820_map *m, u64 base, u64 len, u32 type)
{
	u64 end;

	len = cut_wrap(base, len);
	if (len == 0)
		return ERR_NONE;
	end = base + len;
	if (m->count + 2 > E820_MAX)
		return ERR_NOMEM;
	for (u32 i = 0; i < m->count;) {
		struct e820_entry *e = &m->e[i];
		u64 e_end = entry_end(e);

		if (!ranges_overlap(e->base, e->len, base, len)) {
			i++;
			continue;
		}
		if (e_end > end) {
			struct e820_entry tail = { end, e_end - end, e->type };

			if (e->base < base)
				e->len = base - e->base;
			else
				entry_remove(m, i);
			entry_insert(m, tail);
			break; /* sorted: nothing further overlaps */
		}
		if (e->base < base) {
			e->len = base - e->base;
			i++;
		} else {
			entry_remove(m, i);
		}
	}
	entry_insert(m, (struct e820_entry){ base, len, type });
	map_join(m);
	return ERR_NONE;
}

bool e820_is_type(const struct e820_map *m, u64 base, u64 len, u32 type)
{
	if (len > ~0ull - base)
		return false;
	for (u32 i = 0; i < m->count && len > 0; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type != type || base < e->base || base >= entry_end(e))
			continue;
		if (len <= entry_end(e) - base)
			return true;
		len -= entry_end(e) - base;
		base = entry_end(e);
	}
	return len == 0;
}

err_t e820_busy_add(struct e820_busy *b, u64 base, u64 len)
{
	len = cut_wrap(base, len);
	if (len == 0)
		return ERR_NONE;
	if (b->count >= ARRAY_SIZE(b->r))
		return ERR_NOMEM;
	b->r[b->count].base = base;
	b->r[b->count].len = len;
	b->count++;
	return ERR_NONE;
}

/* Index of a busy range that overlaps [base, base + len); ERR_NOENT: none does. */
static err_t busy_find(const struct e820_busy *b, u64 base, u64 len, u32 *at)
{
	for (u32 i = 0; b != NULL && i < b->count; i++) {
		if (ranges_overlap(base, len, b->r[i].base, b->r[i].len)) {
			*at = i;
			return ERR_NONE;
		}
	}
	return ERR_NOENT;
}

err_t e820_fit_high(const struct e820_map *m, const struct e820_busy *busy,
		    const struct e820_fit *fit, u64 *base)
{
	u64 len = fit->len;

	if (len == 0 || fit->align == 0)
		return ERR_INVAL;
	for (u32 i = m->count; i-- > 0;) {
		const struct e820_entry *e = &m->e[i];
		u64 from = umax64(e->base, fit->lo);
		u64 end = umin64(entry_end(e), fit->hi);
		u32 at;

		/* Each turn drops below one more busy range: at most busy->count turns. */
		while (e->type == E820_RAM && end > from && end - from >= len) {
			u64 place = ALIGN_DOWN(end - len, fit->align);

			if (place < from)
				break;
			if (busy_find(busy, place, len, &at) != ERR_NONE) {
				*base = place;
				return ERR_NONE;
			}
			end = busy->r[at].base;
		}
	}
	return ERR_NOENT;
}

err_t e820_fit_low(const struct e820_map *m, const struct e820_busy *busy,
		   const struct e820_fit *fit, u64 *base)
{
	u64 len = fit->len;

	if (len == 0 || fit->align == 0)
		return ERR_INVAL;
	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];
		u64 from = umax64(e->base, fit->lo);
		u64 end = umin64(entry_end(e), fit->hi);
		u32 at;

		while (e->type == E820_RAM && from <= ~0ull - (fit->align - 1)) {
			u64 place = ALIGN_UP(from, fit->align);

			if (place >= end || end - place < len)
				break;
			if (busy_find(busy, place, len, &at) != ERR_NONE) {
				*base = place;
				return ERR_NONE;
			}
			from = busy->r[at].base + busy->r[at].len;
		}
	}
	return ERR_NOENT;
}

u64 e820_ram_bytes(const struct e820_map *m)
{
	u64 sum = 0;

	for (u32 i = 0; i < m->count; i++) {
		if (m->e[i].type == E820_RAM)
			sum += m->e[i].len;
	}
	return sum;
}

u64 e820_ram_top(const struct e820_map *m, u64 below)
{
	u64 top = 0;

	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type == E820_RAM && e->base < below)
			top = umax64(top, umin64(entry_end(e), below));
	}
	return top;
}
