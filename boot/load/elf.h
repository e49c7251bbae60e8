/* SPDX-License-Identifier: BSD-2-Clause */
/* ELF executables, 32 and 64 bit, as multiboot images carry them. */
#pragma once

#include "boot/load/load.h"

bool elf_probe(const u8 *data, u64 len);

/**
 * elf_plan() - plan the loadable segments of @img at their physical addresses.
 * @entry: physical address of the entry point.
 *
 * Requires every segment to be below 4 GiB, in RAM, inside the file and clear of the others, and
 * the entry in one of them. out->why names the segment that is not.
 */
MUST_CHECK err_t elf_plan(const struct load_input *in, const struct guest_image *img,
			  struct load_plan *out, u64 *entry);

/* elf_extent() - the physical range from the lowest to the highest loadable segment. */
MUST_CHECK err_t elf_extent(const struct guest_image *img, struct load_plan *out, u64 *base,
			    u64 *len);

/* elf_plan_at() - elf_plan() with every segment and the entry @shift higher, modulo 2^64. The
 * extent must lie below 4 GiB before and after. */
MUST_CHECK err_t elf_plan_at(const struct load_input *in, const struct guest_image *img, u64 shift,
			     struct load_plan *out, u64 *entry);

/* The section headers of an image, for its own use; num = 0: it has none, or too many to pass on.
 */
struct elf_symbols {
	u64 offset; /* in the file */
	u32 num, entsize, shndx;
};

/* elf_symbols_find() - where they are. */
MUST_CHECK err_t elf_symbols_find(const struct guest_image *img, struct load_plan *out,
				  struct elf_symbols *s);

/**
 * elf_symbols_plan() - copy the section headers to @table and plan a place for sections that no
 * segment loads (symbols, strings); sets their addresses in @table.
 * @table: s->num * s->entsize bytes of the plan's scratch
 */
MUST_CHECK err_t elf_symbols_plan(const struct load_input *in, const struct guest_image *img,
				  const struct elf_symbols *s, u8 *table, struct load_plan *out);
