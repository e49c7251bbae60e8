/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The section headers of an ELF guest, for its own backtraces: multiboot passes them on. Boot time,
 * pure. Spec: Multiboot2 "ELF-Symbols"; System V ABI, "Sections".
 */
#include "boot/load/elf_internal.h"
#include "boot/load/plan.h"
#include "core/lib/bytes.h"

#define SH_TYPE_OFF 4u
#define SHT_NOBITS  8u
#define SYMBOLS_MAX 16384u /* bytes of headers: half of the plan's scratch */
#define BLOCK_ALIGN 4096u

err_t elf_symbols_find(const struct guest_image *img, struct load_plan *out, struct elf_symbols *s)
{
	const struct elf_layout *l;
	struct elf e = ELF_OF(img);

	*s = (struct elf_symbols){ 0 };
	TRY(elf_open(&e, img, out));
	l = e.layout;
	s->offset = elf_word(&e, e.data + l->shoff);
	s->entsize = get_u16(e.data + l->shentsize);
	s->num = get_u16(e.data + l->shnum);
	s->shndx = get_u16(e.data + l->shstrndx);
	if (s->offset == 0 || s->num == 0 || s->entsize < l->shdr_len ||
	    (u64)s->num * s->entsize > SYMBOLS_MAX) {
		*s = (struct elf_symbols){ 0 };
		return ERR_NONE;
	}
	/* Cause (guest): a damaged copy or medium.
	 * Remedy: copy it again; write the stick again. */
	if (!range_fits(s->offset, (u64)s->num * s->entsize, e.len))
		return plan_fail(
			out, ERR_INVAL,
			"ELF image is truncated or corrupt: its section headers end behind the "
			"file (%llu bytes); do this: copy it again",
			e.len);
	return ERR_NONE;
}

/* A section with content that no segment puts into memory. */
static bool is_unloaded(const struct elf *e, const u8 *shdr)
{
	const struct elf_layout *l = e->layout;

	return elf_word(e, shdr + l->sh_addr) == 0 && elf_word(e, shdr + l->sh_size) != 0 &&
	       get_u32(shdr + SH_TYPE_OFF) != SHT_NOBITS;
}

/* The piece of the file that holds them all: load it as one, gaps included. */
static err_t unloaded_extent(const struct elf *e, const struct elf_symbols *s, u64 *lo, u64 *hi,
			     struct load_plan *out)
{
	const struct elf_layout *l = e->layout;

	*lo = ~0ull;
	*hi = 0;
	for (u32 i = 0; i < s->num; i++) {
		const u8 *shdr = e->data + s->offset + (u64)i * s->entsize;
		u64 offset = elf_word(e, shdr + l->sh_offset);
		u64 size = elf_word(e, shdr + l->sh_size);

		if (!is_unloaded(e, shdr))
			continue;
		/* Cause (guest): a damaged copy or medium.
		 * Remedy: copy it again; write the stick again. */
		if (!range_fits(offset, size, e->len))
			return plan_fail(out, ERR_INVAL,
					 "ELF image is truncated: section %u ends behind the file "
					 "(%llu bytes); do this: copy it again",
					 i, e->len);
		*lo = umin64(*lo, offset);
		*hi = umax64(*hi, offset + size);
	}
	return ERR_NONE;
}

err_t elf_symbols_plan(const struct load_input *in, const struct guest_image *img,
		       const struct elf_symbols *s, u8 *table, struct load_plan *out)
{
	struct e820_fit fit = { .lo = MIB(1), .hi = LOAD_4G, .align = BLOCK_ALIGN };
	u64 lo, hi, skip, at;
	struct elf e = ELF_OF(img);

	TRY(elf_open(&e, img, out));
	TRY(unloaded_extent(&e, s, &lo, &hi, out));
	memcpy(table, e.data + s->offset, (u64)s->num * s->entsize);
	if (hi == 0)
		return ERR_NONE;
	/* Same offset in the page as in the file: keeps the alignment of every section. */
	skip = lo % BLOCK_ALIGN;
	fit.len = skip + hi - lo;
	/* Cause (guest): large debugging sections.
	 * Remedy: `strip` it. */
	if (plan_find_free(out, in->memory, &fit, &at) != ERR_NONE)
		return plan_fail(
			out, ERR_NOMEM,
			"no RAM is left for %llu MiB of symbols of the image; do this: strip it or "
			"add memory",
			plan_mib(fit.len));
	TRY(plan_copy(out, at + skip, img->start.v + lo, hi - lo, 0));
	for (u32 i = 0; i < s->num; i++) {
		u8 *shdr = table + (u64)i * s->entsize;
		u64 addr = at + skip + elf_word(&e, shdr + e.layout->sh_offset) - lo;

		if (!is_unloaded(&e, shdr))
			continue;
		if (e.layout->is_64)
			put_u64(shdr + e.layout->sh_addr, addr);
		else
			put_u32(shdr + e.layout->sh_addr, (u32)addr);
	}
	return ERR_NONE;
}
