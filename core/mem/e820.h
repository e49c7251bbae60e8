/* SPDX-License-Identifier: BSD-2-Clause */
/* Physical memory maps: normalise, carve, search. Pure. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

#define E820_MAX 128

enum e820_type {
	E820_RAM = 1,
	E820_RESERVED = 2,
	E820_ACPI = 3,
	E820_NVS = 4,
	E820_UNUSABLE = 5,
	E820_PMEM = 7,
	/* Kensho's own, to keep distinctions of an EFI map. Guests see "reserved":
	 * e820_public(). */
	E820_EFI_RUNTIME = 0x80000005u, /* RAM that runtime services use */
	E820_EFI_MMIO = 0x8000000bu,
	E820_SOFT_RESERVED = 0xefffffffu, /* Linux' number: RAM for a driver that asks for it */
};

struct e820_entry {
	u64 base;
	u64 len;
	u32 type; /* enum e820_type, or a firmware's own number */
};

struct e820_map {
	u32 count;
	struct e820_entry e[E820_MAX + 1]; /* the last one stays empty: it covers nothing */
};

/* e820_add() - append; zero length is dropped, a wrap past 2^64 is cut. ERR_NOMEM when full. */
MUST_CHECK err_t e820_add(struct e820_map *m, u64 base, u64 len, u32 type);

/* e820_foreign_type() - sanitise a type number from outside: 0 and Kensho's own become reserved. */
u32 e820_foreign_type(u32 type);

/* e820_public() - @m as a guest may see it: Kensho's own types become reserved, neighbours are
 * joined. */
void e820_public(const struct e820_map *m, struct e820_map *out);

/**
 * e820_is_memory() - entry @e of @m is RAM, whatever its use, and not device registers.
 *
 * PC firmware calls both "reserved". An entry above the end of RAM (below 4 GiB: of the RAM there)
 * is taken for registers.
 */
bool e820_is_memory(const struct e820_map *m, const struct e820_entry *e);

/* e820_normalise() - sort, resolve overlaps (the more restrictive type wins), join neighbours. */
MUST_CHECK err_t e820_normalise(struct e820_map *m);

/* e820_reserve() - make [base, base+len) @type whatever it was; splits entries. Keeps m sorted. */
MUST_CHECK err_t e820_reserve(struct e820_map *m, u64 base, u64 len, u32 type);

/* e820_is_type() - the whole range [base, base+len) lies in entries of @type. */
bool e820_is_type(const struct e820_map *m, u64 base, u64 len, u32 type);

/* struct e820_busy - ranges that a search must avoid (modules, boot information...). */
struct e820_busy {
	u32 count;
	struct {
		u64 base, len;
	} r[64];
};

MUST_CHECK err_t e820_busy_add(struct e820_busy *b, u64 base, u64 len);

/* struct e820_fit - what to search for: @len bytes, aligned, inside [@lo, @hi). */
struct e820_fit {
	u64 lo, hi, len, align;
};

/**
 * e820_fit_high() - highest place for @fit, all RAM and clear of @busy (may be NULL).
 * e820_fit_low() - the lowest. ERR_NOENT: none; *base only on success.
 */
MUST_CHECK err_t e820_fit_high(const struct e820_map *m, const struct e820_busy *busy,
			       const struct e820_fit *fit, u64 *base);
MUST_CHECK err_t e820_fit_low(const struct e820_map *m, const struct e820_busy *busy,
			      const struct e820_fit *fit, u64 *base);

/* The same with single arguments. */
#define e820_find_high(m, busy, lo_, hi_, len_, align_, base)                                     \
	e820_fit_high(                                                                            \
		m, busy,                                                                          \
		&(struct e820_fit){ .lo = (lo_), .hi = (hi_), .len = (len_), .align = (align_) }, \
		base)

/* struct e820_spans - up to two ranges of addresses; an empty one has end <= base. */
struct e820_spans {
	struct {
		u64 base, end;
	} r[2];
};

/*
 * e820_physmap() - what the hypervisor may map, as cacheable memory, of @e. Of reserved entries
 * only what a BIOS keeps below 1 MiB, around the VGA window: the others are device registers, or
 * memory that answers only to a device or to SMM.
 */
struct e820_spans e820_physmap(const struct e820_entry *e);

u64 e820_ram_bytes(const struct e820_map *m);
u64 e820_ram_top(const struct e820_map *m, u64 below); /* end of the highest RAM below @below */
