/* SPDX-License-Identifier: BSD-2-Clause */
/* PUSH, POP and their kin: one operand may be on an emulated page, or the stack. VP's CPU, with its
 * VMCS current. */
#include "core/emul/exec_internal.h"

#include "core/hw.h"

/* Width of the stack pointer: SDM Vol. 1, "Address-Size Attributes for Stack Accesses". */
static u32 stack_size(const struct vp *vp)
{
	if (emul_cpu_mode(vp) == EMUL_64)
		return 8;
	return (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? 4 : 2;
}

enum exit_action exec_push(const struct exec *x)
{
	const struct insn *in = x->in;
	u32 width = stack_size(x->vp);
	u64 sp = (gpr_read(x->vp, GPR_SP) - in->opsize) & size_mask(width);
	struct operand src, stack;
	u64 val;

	if (!in->mem_dst)
		TRY_RESOLVE(x, resolve_seg(x, in->seg, operand_offset(x->vp, in), false, &src));
	TRY_RESOLVE(x, resolve_seg(x, SEG_SS, sp, true, &stack));
	if (!in->mem_dst)
		val = operand_load(x->vp, x->mem, &src);
	else
		val = in->has_imm ? in->imm : reg_get(x, in->opsize);
	operand_store(x->vp, x->mem, &stack, val);
	gpr_merge(x->vp, GPR_SP, width, sp);
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_pop(const struct exec *x)
{
	const struct insn *in = x->in;
	u32 width = stack_size(x->vp);
	u64 old_sp = gpr_read(x->vp, GPR_SP);
	u64 sp = old_sp & size_mask(width);
	struct operand dst, stack;
	u64 offset, val;

	TRY_RESOLVE(x, resolve_seg(x, SEG_SS, sp, false, &stack));
	if (in->mem_dst) {
		/* SDM POP: an address that uses ESP is computed after the increment. */
		offset = operand_offset(x->vp, in);
		if (in->base == GPR_SP)
			offset = (offset + in->opsize) & size_mask(in->addrsize);
		TRY_RESOLVE(x, resolve_seg(x, in->seg, offset, true, &dst));
	}
	val = operand_load(x->vp, x->mem, &stack);
	gpr_merge(x->vp, GPR_SP, width, sp + in->opsize);
	if (in->mem_dst)
		operand_store(x->vp, x->mem, &dst, val);
	else
		reg_set(x, in->opsize, val); /* POP RSP: the loaded value wins */
	return EXIT_NEXT_DECODED;
}
