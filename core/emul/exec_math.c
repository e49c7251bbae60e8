/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiplication, division, double shifts, bit scans, conditional moves, SMSW: with the memory
 * operand on an emulated page. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 2, the instruction reference.
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/hw.h"
#include "core/vp/guest_cr.h"

/* The pair DX:AX of the operand's size; of bytes it is AX. */
static void pair_get(const struct exec *x, u32 size, u64 *hi, u64 *lo)
{
	u64 ax = gpr_read(x->vp, GPR_AX);

	*lo = ax & size_mask(size);
	*hi = (size == 1 ? ax >> 8 : gpr_read(x->vp, GPR_DX)) & size_mask(size);
}

static void pair_set(const struct exec *x, u32 size, u64 hi, u64 lo)
{
	if (size == 1) {
		gpr_merge(x->vp, GPR_AX, 2, (hi & 0xff) << 8 | (lo & 0xff));
		return;
	}
	gpr_merge(x->vp, GPR_AX, size, lo);
	gpr_merge(x->vp, GPR_DX, size, hi);
}

/* MUL, IMUL, DIV, IDIV of DX:AX */
enum exit_action exec_muldiv(const struct exec *x)
{
	const struct insn *in = x->in;
	bool is_signed = in->op == EMUL_IMUL || in->op == EMUL_IDIV;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	struct operand op;
	u64 hi, lo, mem;

	TRY_ACTION(resolve_main(x, false, &op));
	mem = operand_load(x->vp, x->mem, &op);
	pair_get(x, in->opsize, &hi, &lo);
	if (in->op == EMUL_MUL || in->op == EMUL_IMUL) {
		lo = alu_multiply(in->opsize, lo, mem, is_signed, &hi, &flags);
		hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	} else if (alu_divide(in->opsize, &hi, &lo, mem, is_signed) != ERR_NONE) {
		return vp_fault(x->vp, EXC_DE);
	}
	pair_set(x, in->opsize, hi, lo);
	return EXIT_NEXT_DECODED;
}

/* IMUL with two or three operands */
enum exit_action exec_imul(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	struct operand op;
	u64 other, hi;

	TRY_ACTION(resolve_main(x, false, &op));
	other = in->has_imm ? in->imm : reg_get(x, in->opsize);
	reg_set(x, in->opsize,
		alu_multiply(in->opsize, operand_load(x->vp, x->mem, &op), other, true, &hi,
			     &flags));
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* SHLD, SHRD by a byte or CL */
enum exit_action exec_double_shift(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	u32 by = (u32)(in->has_imm ? in->imm : gpr_read(x->vp, GPR_CX)) &
		 (in->opsize == 8 ? 63 : 31);
	struct operand op;

	TRY_ACTION(resolve_main(x, true, &op));
	if (by == 0)
		return EXIT_NEXT_DECODED;
	operand_store(x->vp, x->mem, &op,
		      alu_double_shift(in->op, in->opsize, operand_load(x->vp, x->mem, &op),
				       reg_get(x, in->opsize), by, &flags));
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* BSF, BSR. Of 0 the register is undefined: leave it, as CPUs do. */
enum exit_action exec_bit_scan(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_ZF;
	struct operand op;
	u64 val;

	TRY_ACTION(resolve_main(x, false, &op));
	val = operand_load(x->vp, x->mem, &op);
	if (val == 0)
		flags |= RFLAGS_ZF;
	else if (in->op == EMUL_BSF)
		reg_set(x, in->opsize, (u64)__builtin_ctzll(val));
	else
		reg_set(x, in->opsize, 63u - (u64)__builtin_clzll(val));
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* CMOVcc. A 32-bit move that is not done clears the upper half all the same. */
enum exit_action exec_cmov(const struct exec *x)
{
	const struct insn *in = x->in;
	struct operand op;
	u64 val;

	TRY_ACTION(resolve_main(x, false, &op));
	val = operand_load(x->vp, x->mem, &op);
	if (!alu_condition(in->detail, hw_vmread(VMCS_GUEST_RFLAGS)))
		val = reg_get(x, in->opsize);
	reg_set(x, in->opsize, val);
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_setcc(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, true, &op));
	operand_store(x->vp, x->mem, &op,
		      alu_condition(x->in->detail, hw_vmread(VMCS_GUEST_RFLAGS)));
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_smsw(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, true, &op));
	operand_store(x->vp, x->mem, &op, guest_cr0(x->vp));
	return EXIT_NEXT_DECODED;
}
