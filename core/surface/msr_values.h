/* SPDX-License-Identifier: BSD-2-Clause */
/* What the short exit (arch/x86/rdmsr_value.S) knows of the MSR table: the hash, and one function
 * per slot. */
#pragma once

#include "core/surface/msr.h"

#define MSR_INDEX_SHIFT 10
#define MSR_INDEX_SLOTS (1u << MSR_INDEX_SHIFT)

/* Fibonacci hashing; also in assembly. */
#define MSR_HASH_FACTOR  0x9e3779b1u
#define MSR_HASH_DROPPED (32 - MSR_INDEX_SHIFT)

static inline size_t msr_hash(u32 msr)
{
	return (msr * MSR_HASH_FACTOR) >> MSR_HASH_DROPPED;
}

/* Rows with .get whose slot is their hash. All other slots have a number with another hash. */
struct msr_values {
	u32 msr[MSR_INDEX_SLOTS];
	msr_value_fn value[MSR_INDEX_SLOTS];
};

extern struct msr_values msr_values;
