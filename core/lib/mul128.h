/* SPDX-License-Identifier: BSD-2-Clause */
/* Products and quotients with a 128-bit intermediate, without a compiler run-time library. Pure. */
#pragma once

#include "core/lib/types.h"

/* mul_u64_u64_shr() - (a * b) >> shift, shift 0..127; bits above 64 are lost. */
static inline u64 mul_u64_u64_shr(u64 a, u64 b, u32 shift)
{
	return (u64)(((unsigned __int128)a * b) >> shift);
}

/* mul_u64_u32_shr() - (a * b) >> shift for a 32-bit factor. */
static inline u64 mul_u64_u32_shr(u64 a, u32 b, u32 shift)
{
	return mul_u64_u64_shr(a, b, shift);
}

/* div_u128_u64() - hi:lo / @c, where @hi is below @c; *@rem: what is left. One step per bit. */
static inline u64 div_u128_u64(u64 hi, u64 lo, u64 c, u64 *rem)
{
	/* Shift-and-subtract: hi is the remainder, the quotient grows in lo's freed low bits. */
	for (u32 i = 0; i < 64; i++) {
		bool carry = hi >> 63;

		hi = hi << 1 | lo >> 63;
		lo <<= 1;
		if (carry || hi >= c) {
			hi -= c;
			lo |= 1;
		}
	}
	*rem = hi;
	return lo;
}

/**
 * mul_u64_u64_div_u64() - a * b / c, rounded down; ~0 when c is 0 or the quotient needs more than
 * 64 bits. Not for hot paths: one step per bit when the product needs more than 64 bits.
 */
static inline u64 mul_u64_u64_div_u64(u64 a, u64 b, u64 c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	u64 hi = (u64)(product >> 64);
	u64 lo = (u64)product;

	if (hi >= c)
		return ~0ull;
	if (hi == 0)
		return lo / c;
	return div_u128_u64(hi, lo, c, &hi);
}
