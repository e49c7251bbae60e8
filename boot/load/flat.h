/* SPDX-License-Identifier: BSD-2-Clause */
/* Images whose own header says where they go: the "a.out kludge" of both multiboot protocols. */
#pragma once

#include "boot/load/load.h"

/* load_addr of multiboot 2: the file from its first byte on. */
#define FLAT_FROM_START 0xffffffffu

/* The address fields as the header has them, and where the header is. */
struct flat {
	u64 header_off; /* in the file */
	u32 header_addr, load_addr;
	u32 load_end_addr; /* 0: to the end of the file */
	u32 bss_end_addr;  /* 0: no bss */
	u32 entry_addr;
};

/* Derived: @len bytes of the file from @offset go to @load; the image takes @mem bytes there. */
struct flat_extent {
	u64 offset, load, len, mem;
};

/* flat_extent() - out->why names the field that contradicts the file or other fields. */
MUST_CHECK err_t flat_extent(const struct flat *f, const struct guest_image *img,
			     struct load_plan *out, struct flat_extent *x);

/* flat_plan() - load the image @shift higher (modulo 2^64) than it wants. The entry must be in it.
 */
MUST_CHECK err_t flat_plan(const struct flat *f, const struct flat_extent *x,
			   const struct guest_image *img, u64 shift, struct load_plan *out,
			   u64 *entry);
