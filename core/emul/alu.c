/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic of the emulated instructions, with status flags. Pure.
 *
 * Spec: SDM Vol. 1, "Status Flags"; SDM Vol. 2, "Flags Affected" of each instruction.
 */
#include "arch/x86/defs/cr.h"
#include "core/diag/panic.h"
#include "core/emul/emul_internal.h"
#include "core/lib/mul128.h"

#define FLAGS_ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static u64 sign_bit(u32 size)
{
	return BIT64(8 * size - 1);
}

/* PF, ZF and SF of a result. */
static u64 flags_of(u64 res, u32 size)
{
	u64 flags = 0;

	if (__builtin_parity((u32)res & 0xff) == 0)
		flags |= RFLAGS_PF;
	if (res == 0)
		flags |= RFLAGS_ZF;
	if (res & sign_bit(size))
		flags |= RFLAGS_SF;
	return flags;
}

/* a + b + carry. @keep: flags that the instruction leaves alone. */
static u64 add(u32 size, u64 a, u64 b, u64 carry, u64 keep, u64 *rflags)
{
	u64 mask = size_mask(size);
	u64 res = (a + b + carry) & mask;
	u64 carries = (a & b) | ((a | b) & ~res); /* carry out of every bit */
	u64 flags = flags_of(res, size);

	if (carries & sign_bit(size))
		flags |= RFLAGS_CF;
	if (carries & BIT64(3))
		flags |= RFLAGS_AF;
	if (~(a ^ b) & (a ^ res) & sign_bit(size))
		flags |= RFLAGS_OF;
	*rflags = (*rflags & (~FLAGS_ARITH | keep)) | (flags & ~keep);
	return res;
}

/* a - b - borrow */
static u64 sub(u32 size, u64 a, u64 b, u64 borrow, u64 keep, u64 *rflags)
{
	u64 mask = size_mask(size);
	u64 res = (a - b - borrow) & mask;
	u64 borrows = (~a & b) | (~(a ^ b) & res); /* borrow into every bit from the next */
	u64 flags = flags_of(res, size);

	if (borrows & sign_bit(size))
		flags |= RFLAGS_CF;
	if (borrows & BIT64(3))
		flags |= RFLAGS_AF;
	if ((a ^ b) & (a ^ res) & sign_bit(size))
		flags |= RFLAGS_OF;
	*rflags = (*rflags & (~FLAGS_ARITH | keep)) | (flags & ~keep);
	return res;
}

/* CF and OF are 0; AF is undefined and becomes 0. */
static u64 logic(u32 size, u64 res, u64 *rflags)
{
	*rflags = (*rflags & ~FLAGS_ARITH) | flags_of(res, size);
	return res;
}

u64 alu_binary(enum emul_op op, u32 size, u64 a, u64 b, u64 *rflags)
{
	u64 carry = *rflags & RFLAGS_CF;

	a &= size_mask(size);
	b &= size_mask(size);
	if (op == EMUL_ADD || op == EMUL_XADD)
		return add(size, a, b, 0, 0, rflags);
	if (op == EMUL_ADC)
		return add(size, a, b, carry, 0, rflags);
	if (op == EMUL_SBB)
		return sub(size, a, b, carry, 0, rflags);
	if (op == EMUL_SUB || op == EMUL_CMP || op == EMUL_CMPXCHG)
		return sub(size, a, b, 0, 0, rflags);
	if (op == EMUL_OR)
		return logic(size, a | b, rflags);
	if (op == EMUL_XOR)
		return logic(size, a ^ b, rflags);
	ASSERT(op == EMUL_AND || op == EMUL_TEST);
	return logic(size, a & b, rflags);
}

u64 alu_unary(enum emul_op op, u32 size, u64 a, u64 *rflags)
{
	a &= size_mask(size);
	if (op == EMUL_INC)
		return add(size, a, 1, 0, RFLAGS_CF, rflags);
	if (op == EMUL_DEC)
		return sub(size, a, 1, 0, RFLAGS_CF, rflags);
	if (op == EMUL_NEG)
		return sub(size, 0, a, 0, 0, rflags);
	ASSERT(op == EMUL_NOT);
	return ~a & size_mask(size);
}

u64 alu_bit(enum emul_op op, u64 a, u32 bit, u64 *rflags)
{
	*rflags = (*rflags & ~RFLAGS_CF) | (a >> bit & 1);
	if (op == EMUL_BTS)
		return a | BIT64(bit);
	if (op == EMUL_BTR)
		return a & ~BIT64(bit);
	return op == EMUL_BTC ? a ^ BIT64(bit) : a;
}

u64 alu_multiply(u32 size, u64 a, u64 b, bool is_signed, u64 *hi, u64 *rflags)
{
	u64 mask = size_mask(size), lo;
	unsigned __int128 product;
	bool wide;

	if (is_signed)
		product = (unsigned __int128)((__int128)(s64)size_extend(a, size) *
					      (s64)size_extend(b, size));
	else
		product = (unsigned __int128)(a & mask) * (b & mask);
	lo = (u64)product & mask;
	*hi = (u64)(product >> 8 * size) & mask;
	wide = *hi != (is_signed && (lo & sign_bit(size)) ? mask : 0);
	*rflags = (*rflags & ~(RFLAGS_CF | RFLAGS_OF)) | (wide ? RFLAGS_CF | RFLAGS_OF : 0);
	return lo;
}

/* Absolute values in, so that one division does both kinds. */
err_t alu_divide(u32 size, u64 *hi, u64 *lo, u64 by, bool is_signed)
{
	u64 mask = size_mask(size), sign = is_signed ? sign_bit(size) : 0;
	u64 h = *hi & mask, l = *lo & mask, rem;
	bool minus = (h & sign) != 0, differ = minus != ((by & sign) != 0);

	by &= mask;
	if (by & sign)
		by = -by & mask;
	if (minus) {
		l = -l & mask;
		h = (~h + (l == 0)) & mask;
	}
	if (h >= by) /* 0, too */
		return ERR_RANGE;
	if (size == 8) {
		l = div_u128_u64(h, l, by, &rem);
	} else {
		l |= h << 8 * size;
		rem = l % by;
		l /= by;
	}
	if (is_signed && l > sign - !differ)
		return ERR_RANGE;
	*lo = (differ ? -l : l) & mask;
	*hi = (minus ? -rem : rem) & mask;
	return ERR_NONE;
}

u64 alu_double_shift(enum emul_op op, u32 size, u64 a, u64 b, u32 by, u64 *rflags)
{
	u32 bits = 8 * size;
	bool left = op == EMUL_SHLD, carry;
	u64 ring, res;

	a &= size_mask(size);
	b &= size_mask(size);
	if (size == 2) { /* more than 16 is undefined: the first operand follows again */
		ring = a << 32 | b << 16 | a;
		res = left ? ring << by >> 32 : ring >> by;
		carry = (left ? ring >> (48 - by) : ring >> (by - 1)) & 1;
	} else {
		res = left ? a << by | b >> (bits - by) : a >> by | b << (bits - by);
		carry = (left ? a >> (bits - by) : a >> (by - 1)) & 1;
	}
	res &= size_mask(size);
	*rflags = (*rflags & ~FLAGS_ARITH) | flags_of(res, size) | (carry ? RFLAGS_CF : 0) |
		  (((res ^ a) & sign_bit(size)) ? RFLAGS_OF : 0);
	return res;
}

bool alu_condition(u32 cc, u64 rflags)
{
	bool less = !(rflags & RFLAGS_SF) != !(rflags & RFLAGS_OF);
	const bool holds[8] = {
		(rflags & RFLAGS_OF) != 0,
		(rflags & RFLAGS_CF) != 0,
		(rflags & RFLAGS_ZF) != 0,
		(rflags & (RFLAGS_CF | RFLAGS_ZF)) != 0,
		(rflags & RFLAGS_SF) != 0,
		(rflags & RFLAGS_PF) != 0,
		less,
		less || (rflags & RFLAGS_ZF) != 0,
	};

	return holds[cc >> 1 & 7] != (cc & 1);
}
