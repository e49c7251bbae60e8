/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of the sealed MSR table: one hash slot per MSR number, with everything the exit path needs
 * in it. Every slot has functions, so that the path has no NULL checks: rows without one get those
 * that act on the row's flags, empty slots those of an unknown MSR.
 */
#pragma once

#include "core/partition.h"
#include "core/surface/msr.h"

#define MSR_INDEX_SHIFT 10
#define MSR_INDEX_SLOTS (1u << MSR_INDEX_SHIFT)
#define MSR_INDEX_MAX   (MSR_INDEX_SLOTS * 3 / 4) /* filled further, probing gets long */

/* The number in empty slots; no row may have it. */
#define MSR_NONE 0xffffffffu

struct msr_slot {
	u32 msr;
	u32 row; /* index + 1; 0: empty */
	msr_read_fn read;
	msr_write_fn write;
	u64 rsvdz;
};
static_assert(sizeof(struct msr_slot) == 32, "indexed by a shift");

struct msr_table {
	struct msr_slot slot[MSR_INDEX_SLOTS];
	u32 used;
	u32 count;
	bool sealed;
	const struct msr_row *row[MSR_ROWS_MAX];
};

static inline u32 msr_hash(u32 msr)
{
	return (msr * 0x9e3779b1u) >> (32 - MSR_INDEX_SHIFT); /* Fibonacci hashing */
}

/* msr_slot_of() - the slot of @msr or an empty one. Ends: a quarter of the slots is empty. */
static inline const struct msr_slot *msr_slot_of(const struct msr_table *t, u32 msr)
{
	const struct msr_slot *s = &t->slot[msr_hash(msr)];

	while (unlikely(s->msr != msr) && s->row != 0) {
		s++;
		if (s == &t->slot[MSR_INDEX_SLOTS])
			s = t->slot;
	}
	return s;
}
