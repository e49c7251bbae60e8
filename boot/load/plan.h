/* SPDX-License-Identifier: BSD-2-Clause */
/* What the loaders share: building a plan, finding places, and putting the steps in a safe order.
 */
#pragma once

#include "boot/load/load.h"
#include "core/lib/bits.h"

#define LOAD_4G GIB(4)

extern const struct guest_loader loader_bzimage;
extern const struct guest_loader loader_multiboot;
extern const struct guest_loader loader_multiboot2;

/* plan_fail() - write out->why; returns @err. */
MUST_CHECK err_t plan_fail(struct load_plan *p, err_t err, const char *fmt, ...) PRINTF(3, 4);

/* plan_begin() - empty plan; in->busy and the images themselves are taken. */
MUST_CHECK err_t plan_begin(struct load_plan *p, const struct load_input *in);

/* One step each. Behind the copy @zero bytes are cleared, @room bytes are kept free. */
MUST_CHECK err_t plan_copy(struct load_plan *p, u64 dst, u64 src, u64 len, u64 zero);
MUST_CHECK err_t plan_copy_room(struct load_plan *p, u64 dst, u64 src, u64 len, u64 room);
MUST_CHECK err_t plan_blob(struct load_plan *p, u64 dst, const void *blob, u64 len);

/* plan_scratch() - zeroed bytes for a blob; NULL when they are used up. @align at most 4096. */
void *plan_scratch(struct load_plan *p, u32 len, u32 align);

/* plan_find_free() - lowest RAM for @fit clear of everything that the plan reads or writes; in the
 * idle map if there is a place. plan_find_free_high(): the highest of @m. */
MUST_CHECK err_t plan_find_free(const struct load_plan *p, const struct e820_map *m,
				const struct e820_fit *fit, u64 *base);
MUST_CHECK err_t plan_find_free_high(const struct load_plan *p, const struct e820_map *m,
				     const struct e820_fit *fit, u64 *base);

/* plan_efi_map() - out->efi becomes the firmware's map as the guest may see it: our memory is
 * reserved. False: there is none, or it would not fit after @cuts more cuts. */
bool plan_efi_map(const struct load_input *in, struct load_plan *out, u32 cuts);

/* plan_place_image() - leave @img where it is if it is below @limit, RAM, and nothing is written
 * over it; else plan a move. *at is where it will be. */
MUST_CHECK err_t plan_place_image(struct load_plan *p, const struct load_input *in,
				  const struct guest_image *img, u64 limit, u64 *at);

/**
 * plan_order() - reorder the steps so that none destroys what a later one reads.
 *
 * Cycles are broken by staging a source in free RAM first. Destinations must be disjoint and RAM.
 */
MUST_CHECK err_t plan_order(struct load_plan *p, const struct e820_map *m);

u64 plan_mib(u64 bytes); /* rounded up */
