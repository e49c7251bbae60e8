/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical memory access: pins by page class, and copies through them. Any CPU. */
#include "core/mem/gpa.h"

#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/mem/gpa_internal.h"
#include "core/mem/overlay.h"
#include "core/mem/page_class.h"

u32 gpa_ram_hint;

static void set_hint(u32 entry)
{
	WRITE_ONCE(gpa_ram_hint, entry * (u32)sizeof(struct e820_entry));
}

void gpa_forget_hint(const struct partition *p)
{
	if (p->ram_holes != 0)
		set_hint(E820_MAX);
}

/* False: the range may hold an overlay or be a range's. */
static bool has_no_hole(const struct partition *p, u64 base, u64 len)
{
	return p->range_count == 0 && len <= PAGE_SIZE &&
	       !overlay_index_may_be_at(&p->overlays, base) &&
	       !overlay_index_may_be_at(&p->overlays, base + len - 1);
}

void *pin_ram_search(const struct partition *p, u64 base, u64 len)
{
	const struct e820_map *m = &p->memory;
	bool plain = READ_ONCE(p->ram_holes) == 0;
	u64 end;

	if (!plain && !has_no_hole(p, base, len) &&
	    (page_kind_at(p, base, &end) != PAGE_RAM || len > end - base))
		return NULL;
	for (u32 i = 0; i < m->count; i++) {
		if (e820_covers(&m->e[i], base, len)) {
			if (m->e[i].type != E820_RAM)
				return NULL;
			if (plain)
				set_hint(i);
			return hw_phys_to_virt(hpa(base));
		}
	}
	return NULL;
}

/* What the guest sees: the overlay's page, not the memory beneath. */
static err_t pin_overlay(const struct partition *p, u64 at, enum gpa_use use, struct gpa_pin *pin)
{
	struct overlay_at o = overlay_next(p, at);

	if (o.gpa != ALIGN_DOWN(at, PAGE_SIZE))
		return ERR_FAULT; /* it has moved meanwhile */
	if (use == GPA_WRITE && (o.overlay->perms & EPT_W) == 0)
		return ERR_FAULT;
	pin->mem = (u8 *)hw_phys_to_virt(o.overlay->page) + (at & (PAGE_SIZE - 1));
	return ERR_NONE;
}

static err_t pin_far(const struct partition *p, u64 at, struct gpa_pin *pin)
{
	const struct far_owner *far = far_at(p, at);

	if (far == NULL)
		return ERR_FAULT;
	TRY(far->pin(p, ALIGN_DOWN(at, PAGE_SIZE)));
	pin->far = far;
	pin->mem = hw_phys_to_virt(hpa(at));
	return ERR_NONE;
}

/* hw_phys_to_virt() covers firmware memory; ROM ignores writes by itself. */
static err_t pin_by_class(const struct partition *p, u64 at, u64 len, enum gpa_use use,
			  struct gpa_pin *pin)
{
	enum page_access needed = use == GPA_NAMED ? ACCESS_REGISTER : ACCESS_CPU;
	u64 end;
	enum page_kind kind = page_kind_at(p, at, &end);

	if (page_class[kind].access < needed || len > end - at)
		return ERR_FAULT;
	if (kind == PAGE_OVERLAY)
		return pin_overlay(p, at, use, pin);
	if (kind == PAGE_FAR)
		return len > PAGE_SIZE - (at & (PAGE_SIZE - 1)) ? ERR_FAULT : pin_far(p, at, pin);
	pin->mem = hw_phys_to_virt(hpa(at));
	return ERR_NONE;
}

err_t gpa_pin(const struct partition *p, gpa_t at, u64 len, enum gpa_use use, struct gpa_pin *pin)
{
	*pin = (struct gpa_pin){ .mem = pin_ram(p, at.v, len), .gpa = at.v };
	return pin->mem != NULL ? ERR_NONE : pin_by_class(p, at.v, len, use, pin);
}

void gpa_unpin(const struct partition *p, const struct gpa_pin *pin)
{
	if (unlikely(pin->far != NULL))
		pin->far->unpin(p, ALIGN_DOWN(pin->gpa, PAGE_SIZE));
}

/* A range as one piece, or as two when its pages differ in class or must be pinned one by one. */
struct span {
	struct gpa_pin pin[2];
	u64 len[2];
};

static err_t span_pin(const struct partition *p, gpa_t at, u64 len, enum gpa_use use,
		      struct span *s)
{
	u64 first = PAGE_SIZE - (at.v & (PAGE_SIZE - 1));
	err_t err = gpa_pin(p, at, len, use, &s->pin[0]);

	s->len[0] = len;
	s->len[1] = 0;
	if (err != ERR_FAULT || len <= first || len - first > PAGE_SIZE)
		return err;
	s->len[0] = first;
	s->len[1] = len - first;
	TRY(gpa_pin(p, at, first, use, &s->pin[0]));
	err = gpa_pin(p, gpa(at.v + first), len - first, use, &s->pin[1]);
	if (err != ERR_NONE)
		gpa_unpin(p, &s->pin[0]);
	return err;
}

static void span_unpin(const struct partition *p, const struct span *s)
{
	gpa_unpin(p, &s->pin[0]);
	if (s->len[1] != 0)
		gpa_unpin(p, &s->pin[1]);
}

static NOINLINE err_t copy_from(const struct partition *p, gpa_t at, void *buf, u64 len,
				enum gpa_use use)
{
	struct span s;

	TRY(span_pin(p, at, len, use, &s));
	(void)memcpy(buf, s.pin[0].mem, s.len[0]);
	if (s.len[1] != 0)
		(void)memcpy((u8 *)buf + s.len[0], s.pin[1].mem, s.len[1]);
	span_unpin(p, &s);
	return ERR_NONE;
}

static NOINLINE err_t copy_to(const struct partition *p, gpa_t at, const void *buf, u64 len)
{
	struct span s;

	TRY(span_pin(p, at, len, GPA_NAMED, &s));
	(void)memcpy(s.pin[0].mem, buf, s.len[0]);
	if (s.len[1] != 0)
		(void)memcpy(s.pin[1].mem, (const u8 *)buf + s.len[0], s.len[1]);
	span_unpin(p, &s);
	return ERR_NONE;
}

err_t gpa_read(const struct partition *p, gpa_t gpa, void *buf, u64 len)
{
	const void *src = pin_ram(p, gpa.v, len);

	if (unlikely(src == NULL))
		return copy_from(p, gpa, buf, len, GPA_NAMED);
	(void)memcpy(buf, src, len);
	return ERR_NONE;
}

err_t gpa_write(const struct partition *p, gpa_t gpa, const void *buf, u64 len)
{
	void *dst = pin_ram(p, gpa.v, len);

	if (unlikely(dst == NULL))
		return copy_to(p, gpa, buf, len);
	(void)memcpy(dst, buf, len);
	return ERR_NONE;
}

err_t gpa_read_any(const struct partition *p, gpa_t gpa, void *buf, u64 len)
{
	err_t err = copy_from(p, gpa, buf, len, GPA_READ);
	u64 end;

	if (err != ERR_FAULT)
		return err;
	if (page_class[page_kind_at(p, gpa.v, &end)].access != ACCESS_ONES || len > end - gpa.v)
		return ERR_FAULT;
	(void)memset(buf, 0xff, len); /* rule M1: what EPT shows there */
	return ERR_NONE;
}

err_t gpa_swap8(const struct partition *p, gpa_t gpa, u8 old, u8 val)
{
	struct gpa_pin pin;
	bool same;

	TRY(gpa_pin(p, gpa, 1, GPA_WRITE, &pin));
	same = __atomic_compare_exchange_n((u8 *)pin.mem, &old, val, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
	gpa_unpin(p, &pin);
	return same ? ERR_NONE : ERR_BUSY;
}

err_t gpa_fetch16(const struct partition *p, gpa_t gpa, u64 out[2], const u8 **ram)
{
	*ram = pin_ram(p, gpa.v, 16);
	if (unlikely(*ram == NULL))
		return gpa_read_any(p, gpa, out, 16);
	memcpy(out, *ram, 16);
	return ERR_NONE;
}
