/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Layout of the sealed MSR table: a hashed index, one slot per MSR number. Every slot has
 * functions: a row without them gets ones that act on its flags, an empty slot those of an unknown
 * MSR.
 */
#pragma once

#include "core/partition.h"
#include "core/surface/msr.h"
#include "core/surface/msr_values.h"

#define MSR_INDEX_MAX (MSR_INDEX_SLOTS * 3 / 4) /* fuller, and probing gets long */

/* Marks an empty slot; no row may have this number. */
#define MSR_NONE 0xffffffffu

/* Columns, not rows: each is addressed by the slot number alone. */
struct msr_table {
	u32 msr[MSR_INDEX_SLOTS];
	msr_read_fn read[MSR_INDEX_SLOTS];
	msr_write_fn write[MSR_INDEX_SLOTS];
	u64 rsvdz[MSR_INDEX_SLOTS];
	u16 row_of[MSR_INDEX_SLOTS]; /* index + 1; 0: the slot is empty */
	u32 used;
	u32 count;
	bool sealed;
	const struct msr_row *row[MSR_ROWS_MAX];
};

/* msr_slot_of() - the slot of @msr or an empty one. Terminates: a quarter of the slots stays
 * empty. */
static inline size_t msr_slot_of(const struct msr_table *t, u32 msr)
{
	size_t s = msr_hash(msr);

	while (unlikely(t->msr[s] != msr) && t->row_of[s] != 0)
		s = (s + 1) % MSR_INDEX_SLOTS;
	return s;
}
