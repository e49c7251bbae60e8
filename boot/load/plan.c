/* SPDX-License-Identifier: BSD-2-Clause */
/* Building and ordering a load plan. Boot time, pure: nothing is written until it is complete. */
#include "boot/load/plan.h"

#include "core/lib/bytes.h"
#include "core/lib/fmt.h"

err_t plan_fail(struct load_plan *p, err_t err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fmt_vprint(p->why, sizeof(p->why), fmt, ap);
	va_end(ap);
	return err;
}

u64 plan_mib(u64 bytes)
{
	return (bytes >> 20) + ((bytes & (MIB(1) - 1)) != 0);
}

static bool is_read(const struct load_copy *c)
{
	return c->blob == NULL && c->src != ~0ull && c->len != 0;
}

static u64 dst_len(const struct load_copy *c)
{
	return c->len + c->zero_len + c->room;
}

static bool writes_over(const struct load_copy *c, u64 base, u64 len)
{
	return ranges_overlap(c->dst, dst_len(c), base, len);
}

static bool reads_from(const struct load_copy *c, u64 base, u64 len)
{
	return is_read(c) && ranges_overlap(c->src, c->len, base, len);
}

static err_t take(struct load_plan *p, const struct guest_image *img)
{
	if (img == NULL)
		return ERR_NONE;
	/* Cause (loader): too many `module2` lines.
	 * Remedy: load fewer. */
	if (e820_busy_add(&p->taken, img->start.v, img->len) != ERR_NONE)
		return plan_fail(p, ERR_NOMEM,
				 "too many modules; do this: give fewer module2 lines");
	return ERR_NONE;
}

err_t plan_begin(struct load_plan *p, const struct load_input *in)
{
	memset(p, 0, sizeof(*p));
	p->idle = in->idle;
	if (in->busy != NULL)
		p->taken = *in->busy;
	TRY(take(p, in->kernel));
	TRY(take(p, in->initrd));
	for (u32 i = 0; i < in->module_count; i++)
		TRY(take(p, &in->module[i]));
	return ERR_NONE;
}

static err_t step_add(struct load_plan *p, const struct load_copy *c)
{
	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (p->count >= LOAD_COPIES_MAX)
		return plan_fail(
			p, ERR_NOMEM,
			"image needs more than %u copy steps; do this: link it with fewer segments",
			LOAD_COPIES_MAX);
	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (c->zero_len > ~0ull - c->len || c->room > ~0ull - c->len - c->zero_len ||
	    dst_len(c) > ~0ull - c->dst)
		return plan_fail(p, ERR_RANGE,
				 "image has a range that wraps past 2^64; do this: link it again");
	p->copy[p->count++] = *c;
	return ERR_NONE;
}

err_t plan_copy(struct load_plan *p, u64 dst, u64 src, u64 len, u64 zero)
{
	struct load_copy c = { .dst = dst, .src = src, .len = len, .zero_len = zero };

	return step_add(p, &c);
}

err_t plan_copy_room(struct load_plan *p, u64 dst, u64 src, u64 len, u64 room)
{
	struct load_copy c = { .dst = dst, .src = src, .len = len, .room = room };

	return step_add(p, &c);
}

err_t plan_blob(struct load_plan *p, u64 dst, const void *blob, u64 len)
{
	struct load_copy c = { .dst = dst, .blob = blob, .len = len };

	return step_add(p, &c);
}

bool plan_efi_map(const struct load_input *in, struct load_plan *out, u32 cuts)
{
	if (in->efi == NULL || in->efi->map.count == 0)
		return false;
	out->efi = in->efi->map;
	return efi_map_agree(&out->efi, in->memory) == ERR_NONE &&
	       out->efi.count <= EFI_MAP_MAX - cuts;
}

void *plan_scratch(struct load_plan *p, u32 len, u32 align)
{
	u32 at = ALIGN_UP(p->scratch_used, align);

	if (!range_fits(at, len, sizeof(p->scratch)))
		return NULL;
	p->scratch_used = at + len;
	return &p->scratch[at];
}

struct obstacle {
	u64 base, end;
};

/* Find something in the way of [base, base + len); false: the range is clear. */
static bool conflict(const struct load_plan *p, u64 base, u64 len, struct obstacle *o)
{
	for (u32 i = 0; i < p->taken.count; i++) {
		*o = (struct obstacle){ p->taken.r[i].base,
					p->taken.r[i].base + p->taken.r[i].len };
		if (ranges_overlap(base, len, o->base, o->end - o->base))
			return true;
	}
	for (u32 i = 0; i < p->count; i++) {
		const struct load_copy *c = &p->copy[i];

		*o = (struct obstacle){ c->dst, c->dst + dst_len(c) };
		if (writes_over(c, base, len))
			return true;
		*o = (struct obstacle){ c->src, c->src + c->len };
		if (reads_from(c, base, len))
			return true;
	}
	return false;
}

static err_t find_free_in(const struct load_plan *p, const struct e820_map *m,
			  const struct e820_fit *fit, u64 *base)
{
	struct e820_fit rest = *fit;
	struct obstacle o;
	u64 place;

	/* Terminates: each turn starts above one more obstacle. */
	while (e820_fit_low(m, NULL, &rest, &place) == ERR_NONE) {
		if (!conflict(p, place, fit->len, &o)) {
			*base = place;
			return ERR_NONE;
		}
		rest.lo = o.end;
	}
	return ERR_NOENT;
}

err_t plan_find_free_high(const struct load_plan *p, const struct e820_map *m,
			  const struct e820_fit *fit, u64 *base)
{
	struct e820_fit rest = *fit;
	struct obstacle o;
	u64 place;

	/* Terminates: each turn ends below one more obstacle. */
	while (e820_fit_high(m, NULL, &rest, &place) == ERR_NONE) {
		if (!conflict(p, place, fit->len, &o)) {
			*base = place;
			return ERR_NONE;
		}
		rest.hi = o.base;
	}
	return ERR_NOENT;
}

err_t plan_find_free(const struct load_plan *p, const struct e820_map *m,
		     const struct e820_fit *fit, u64 *base)
{
	if (p->idle != NULL && find_free_in(p, p->idle, fit, base) == ERR_NONE)
		return ERR_NONE;
	return find_free_in(p, m, fit, base);
}

static bool is_overwritten(const struct load_plan *p, u64 base, u64 len)
{
	for (u32 i = 0; i < p->count; i++) {
		if (writes_over(&p->copy[i], base, len))
			return true;
	}
	return false;
}

err_t plan_place_image(struct load_plan *p, const struct load_input *in,
		       const struct guest_image *img, u64 limit, u64 *at)
{
	u64 start = img->start.v;
	u64 len = img->len;
	bool stays = range_fits(start, len, limit) && IS_ALIGNED(start, 4096) &&
		     e820_is_type(in->memory, start, len, E820_RAM) &&
		     !is_overwritten(p, start, len);

	struct e820_fit fit = { .lo = MIB(1), .hi = limit, .len = len, .align = 4096 };

	*at = start;
	if (stays || len == 0)
		return len == 0 ? ERR_NONE : plan_copy(p, start, start, len, 0);
	/* Cause (guest): too little memory, or too fragmented.
	 * Remedy: more memory; a smaller initrd. */
	if (plan_find_free(p, in->memory, &fit, at) != ERR_NONE)
		return plan_fail(
			p, ERR_NOMEM,
			"no place for a module of %llu MiB: RAM below %llu MiB has %llu MiB, "
			"not enough in one free piece; do this: add memory or shrink it",
			plan_mib(len), plan_mib(limit), plan_mib(e820_ram_bytes(in->memory)));
	return plan_copy(p, *at, start, len, 0);
}

static err_t check_steps(struct load_plan *p, const struct e820_map *m)
{
	for (u32 i = 0; i < p->count; i++) {
		const struct load_copy *c = &p->copy[i];

		/* Cause (guest): linked where this machine has no RAM, or where Kensho is.
		 * Remedy: link it lower (from 1 MiB on), or more memory. */
		if (dst_len(c) != 0 && !e820_is_type(m, c->dst, dst_len(c), E820_RAM))
			return plan_fail(
				p, ERR_RANGE,
				"image wants 0x%llx-0x%llx, which is not free RAM here (RAM: "
				"%llu MiB); do this: link it elsewhere or add memory",
				c->dst, c->dst + dst_len(c) - 1, plan_mib(e820_ram_bytes(m)));
		for (u32 j = 0; j < i; j++) {
			/* Cause (guest): a fault of the link.
			 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
			if (writes_over(&p->copy[j], c->dst, dst_len(c)))
				return plan_fail(p, ERR_INVAL,
						 "image loads two things at 0x%llx: its segments "
						 "overlap; do this: link it again",
						 umax64(c->dst, p->copy[j].dst));
		}
	}
	return ERR_NONE;
}

/* No step from @from on, other than @at, still reads what step @at overwrites. */
static bool is_safe_now(const struct load_plan *p, u32 from, u32 at)
{
	const struct load_copy *c = &p->copy[at];

	for (u32 i = from; i < p->count; i++) {
		if (i != at && reads_from(&p->copy[i], c->dst, dst_len(c)))
			return false;
	}
	return true;
}

/* Insert a step before @from that copies the source of step @at aside; @at then reads the copy. */
static err_t stage(struct load_plan *p, const struct e820_map *m, u32 from, u32 at)
{
	u64 len = p->copy[at].len;
	struct e820_fit fit = { .lo = MIB(1), .hi = ~0ull, .len = len, .align = 4096 };
	u64 place;

	/* Cause (guest): a fault of the link.
	 * Remedy: check it, and the physical addresses (LMA), with `readelf -l`. */
	if (p->count >= LOAD_COPIES_MAX)
		return plan_fail(
			p, ERR_NOMEM,
			"image needs more than %u copy steps; do this: link it with fewer segments",
			LOAD_COPIES_MAX);
	/* Cause (guest): too little memory, or too fragmented.
	 * Remedy: more memory; a smaller initrd. */
	if (plan_find_free(p, m, &fit, &place) != ERR_NONE)
		return plan_fail(
			p, ERR_NOMEM,
			"loading needs %llu MiB of free RAM to reorder the images, the machine "
			"has %llu MiB in all; do this: add memory or use smaller images",
			plan_mib(len), plan_mib(e820_ram_bytes(m)));
	memmove(&p->copy[from + 1], &p->copy[from], (p->count - from) * sizeof(p->copy[0]));
	p->count++;
	p->copy[from] = (struct load_copy){
		.dst = place,
		.src = p->copy[at + 1].src,
		.len = len,
	};
	p->copy[at + 1].src = place;
	return ERR_NONE;
}

/* The smallest step from @from on whose source another step would destroy. */
static u32 cheapest(const struct load_plan *p, u32 from)
{
	u32 best = from;
	u64 best_len = ~0ull;

	for (u32 i = from; i < p->count; i++) {
		const struct load_copy *c = &p->copy[i];

		for (u32 j = from; j < p->count && c->len < best_len; j++) {
			if (j == i || !reads_from(c, p->copy[j].dst, dst_len(&p->copy[j])))
				continue;
			best = i;
			best_len = c->len;
		}
	}
	return best;
}

err_t plan_order(struct load_plan *p, const struct e820_map *m)
{
	TRY(check_steps(p, m));
	for (u32 done = 0; done < p->count;) {
		struct load_copy c;
		u32 i = done;

		while (i < p->count && !is_safe_now(p, done, i))
			i++;
		if (i == p->count) {
			/* A cycle. Nothing overwrites a staged source, so each turn has one less
			 * to go. */
			TRY(stage(p, m, done, cheapest(p, done)));
			done++;
			continue;
		}
		c = p->copy[i];
		memmove(&p->copy[done + 1], &p->copy[done], (i - done) * sizeof(c));
		p->copy[done++] = c;
	}
	return ERR_NONE;
}
