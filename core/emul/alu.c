/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic of the emulated instructions, with status flags. Pure.
 *
 * Spec: SDM Vol. 1, "Status Flags"; SDM Vol. 2, "Flags Affected" of each instruction.
 */
#include "arch/x86/defs/cr.h"
#include "core/diag/panic.h"
#include "core/emul/emul_internal.h"

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
