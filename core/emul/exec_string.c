/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String instructions against an emulated page. One iteration per exit. VP's CPU, with its VMCS
 * current.
 *
 * Spec: SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ".
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "core/hw.h"

/* Move an address or count register by @delta in the instruction's address size. */
static void addr_reg_add(const struct exec *x, u32 nr, u64 delta)
{
	gpr_merge(x->vp, nr, x->in->addrsize, gpr_read(x->vp, nr) + delta);
}

/* After one iteration: step SI and DI and count down; repeat until the count is 0. */
static enum exit_action string_done(const struct exec *x, bool si, bool di)
{
	const struct insn *in = x->in;
	bool down = (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_DF) != 0;
	u64 step = down ? -(u64)in->opsize : in->opsize;

	if (si)
		addr_reg_add(x, GPR_SI, step);
	if (di)
		addr_reg_add(x, GPR_DI, step);
	if (!in->rep && !in->repne)
		return EXIT_NEXT_DECODED;
	addr_reg_add(x, GPR_CX, ~0ull);
	return (gpr_read(x->vp, GPR_CX) & size_mask(in->addrsize)) == 0 ? EXIT_NEXT_DECODED
									: EXIT_ITERATION;
}

enum exit_action exec_stos_lods(const struct exec *x)
{
	bool store = x->in->op == EMUL_STOS;
	struct operand op;

	TRY_RESOLVE(x, resolve_main(x, store, &op));
	if (store)
		operand_store(x->vp, x->mem, &op, reg_get(x, x->in->opsize));
	else
		reg_set(x, x->in->opsize, operand_load(x->vp, x->mem, &op));
	return string_done(x, !store, store);
}

enum exit_action exec_movs(const struct exec *x)
{
	u64 di = gpr_read(x->vp, GPR_DI) & size_mask(x->in->addrsize);
	struct operand src, dst;

	TRY_RESOLVE(x, resolve_seg(x, x->in->seg, operand_offset(x->vp, x->in), false, &src));
	TRY_RESOLVE(x, resolve_seg(x, SEG_ES, di, true, &dst));
	operand_store(x->vp, x->mem, &dst, operand_load(x->vp, x->mem, &src));
	return string_done(x, true, true);
}
