/* SPDX-License-Identifier: BSD-2-Clause */
/* Bit, mask, alignment and size helpers; the macros outside the C part work in .S files too. */
#pragma once

#ifdef __ASSEMBLER__

#define BIT32(n)          (1 << (n))
#define BIT64(n)          (1 << (n))
#define GENMASK64(hi, lo) ((1 << (hi)) - (1 << (lo)) + (1 << (hi)))
#define GENMASK32(hi, lo) GENMASK64(hi, lo)
#define KIB(n)            ((n) << 10)
#define MIB(n)            ((n) << 20)
#define GIB(n)            ((n) << 30)
#define UL32(n)           n
#define UL64(n)           n

#else

#include "core/lib/types.h"

#define UL32(n) n##u
#define UL64(n) n##ull

#define BIT32(n)              (1u << (n))
#define BIT64(n)              (1ull << (n))

/* Bits hi..lo inclusive, as the SDM writes them: GENMASK64(31, 12). */
#define GENMASK64(hi, lo)     ((~0ull >> (63 - (hi))) & (~0ull << (lo)))
#define GENMASK32(hi, lo)     ((~0u >> (31 - (hi))) & (~0u << (lo)))

/* Masks are contiguous and non-zero constants; FIELD_PREP drops what does not fit. */
#define FIELD_SHIFT(mask)     __builtin_ctzll(mask)
#define FIELD_GET(mask, val)  (((u64)(val) & (u64)(mask)) >> FIELD_SHIFT(mask))
#define FIELD_PREP(mask, val) (((u64)(val) << FIELD_SHIFT(mask)) & (u64)(mask))

#define KIB(n) ((u64)(n) << 10)
#define MIB(n) ((u64)(n) << 20)
#define GIB(n) ((u64)(n) << 30)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static inline u32 umin32(u32 a, u32 b)
{
	return a < b ? a : b;
}

static inline u32 umax32(u32 a, u32 b)
{
	return a > b ? a : b;
}

static inline u64 umin64(u64 a, u64 b)
{
	return a < b ? a : b;
}

static inline u64 umax64(u64 a, u64 b)
{
	return a > b ? a : b;
}

/* size_mask() - the low @size bytes, 1 to 8. size_extend() - sign-extend them. */
static inline u64 size_mask(u32 size)
{
	return ~0ull >> (64 - 8 * size);
}

static inline u64 size_extend(u64 val, u32 size)
{
	u32 shift = 64 - 8 * size;

	return (u64)((s64)(val << shift) >> shift);
}

static_assert(GENMASK64(63, 0) == ~0ull, "full width");
static_assert(GENMASK64(12, 12) == BIT64(12), "one bit");

#endif /* __ASSEMBLER__ */

/* 'a' is a power of two of the same width as 'x' or wider. */
#define ALIGN_DOWN(x, a) ((x) & ~((a)-1))
#define ALIGN_UP(x, a)   (((x) + ((a)-1)) & ~((a)-1))
#define IS_ALIGNED(x, a) (((x) & ((a)-1)) == 0)
