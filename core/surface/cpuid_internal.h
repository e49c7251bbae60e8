/* SPDX-License-Identifier: BSD-2-Clause */
/* Layout of the sealed CPUID table, for cpuid.c and the inlined lookup of exit_cpuid.c. */
#pragma once

#include "core/partition.h"
#include "core/surface/cpuid.h"

#define CPUID_BASIC_LEAVES 0x20u  /* 0x00000000.. */
#define CPUID_HYP_LEAVES   0x200u /* 0x40000000.. */
#define CPUID_EXT_LEAVES   0x20u  /* 0x80000000.. */

/* A leaf number is a class (bits 31:30) and an offset into that class's range. */
#define CPUID_CLASS_SHIFT  30
#define CPUID_CLASS_COUNT  4u /* basic, hypervisor, extended, nothing */
#define CPUID_OFFSET(leaf) ((leaf)&GENMASK32(29, 0))

/*
 * One leaf of the direct index. @rows is 0 when regs answer every access to the leaf; else the rows
 * [first, first + rows) of the table decide by subleaf.
 */
struct cpuid_entry {
	struct cpuid_regs regs;
	u16 first, rows;
	u32 unused[3]; /* 32 bytes: the index is a shift */
};
static_assert(sizeof(struct cpuid_entry) == 32, "indexed by a shift");

struct cpuid_range {
	const struct cpuid_entry *entry;
	u64 count;
};

struct cpuid_slot {
	const struct cpuid_row *row;
	u32 leaf;                       /* absolute */
	struct cpuid_regs bits, shared; /* cpuid_add_bits() */
	struct cpuid_regs regs;
};

struct cpuid_table {
	/* The basic range is empty while a VP has LIMIT CPUID MAXVAL set: cpuid_limit_changed() */
	struct cpuid_range range[CPUID_CLASS_COUNT];
	u32 basic_count; /* basic leaves without that limit */
	bool sealed;
	u32 count;
	u32 host_max_basic, host_max_ext;
	struct cpuid_slot slot[CPUID_ROWS_MAX];
	struct cpuid_entry basic[CPUID_BASIC_LEAVES];
	struct cpuid_entry hyp[CPUID_HYP_LEAVES];
	struct cpuid_entry ext[CPUID_EXT_LEAVES];
};

/* cpuid_entry_of() - NULL when @leaf is outside every range, or the answer depends on the VP. */
static inline const struct cpuid_entry *cpuid_entry_of(const struct cpuid_table *t, u32 leaf)
{
	const struct cpuid_range *range = &t->range[leaf >> CPUID_CLASS_SHIFT];
	u64 offset = CPUID_OFFSET(leaf);

	return offset < range->count ? &range->entry[offset] : NULL;
}
