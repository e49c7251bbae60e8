/* SPDX-License-Identifier: BSD-2-Clause */
/* For all loaders: build a plan, find places, put the steps in a safe order. */
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

/* Add a step. After the copy @zero bytes are cleared, or @room bytes kept free. */
MUST_CHECK err_t plan_copy(struct load_plan *p, u64 dst, u64 src, u64 len, u64 zero);
MUST_CHECK err_t plan_copy_room(struct load_plan *p, u64 dst, u64 src, u64 len, u64 room);
MUST_CHECK err_t plan_blob(struct load_plan *p, u64 dst, const void *blob, u64 len);

/* plan_scratch() - zeroed bytes for a blob; NULL: none left. @align at most 4096. */
void *plan_scratch(struct load_plan *p, u32 len, u32 align);

/* plan_find_free() - lowest RAM for @fit, clear of all that the plan reads or writes; in the
 * idle map if possible. plan_find_free_high(): the highest of @m. */
MUST_CHECK err_t plan_find_free(const struct load_plan *p, const struct e820_map *m,
				const struct e820_fit *fit, u64 *base);
MUST_CHECK err_t plan_find_free_high(const struct load_plan *p, const struct e820_map *m,
				     const struct e820_fit *fit, u64 *base);

/* plan_efi_map() - set out->efi to the firmware's map with our memory reserved. False: there is
 * none, or no room for @cuts more splits. */
bool plan_efi_map(const struct load_input *in, struct load_plan *out, u32 cuts);

/* plan_place_image() - leave @img in place if that is RAM below @limit and no step writes over
 * it; else plan a move. *at: its final place. */
MUST_CHECK err_t plan_place_image(struct load_plan *p, const struct load_input *in,
				  const struct guest_image *img, u64 limit, u64 *at);

/**
 * plan_order() - reorder the steps so that none destroys what a later one reads.
 *
 * Cycles are broken by staging a source in free RAM first. Destinations must be disjoint and RAM.
 */
MUST_CHECK err_t plan_order(struct load_plan *p, const struct e820_map *m);

u64 plan_mib(u64 bytes); /* rounded up */
