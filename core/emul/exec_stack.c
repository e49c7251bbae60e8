/* SPDX-License-Identifier: BSD-2-Clause */
/* PUSH, POP and their kin: one operand may be on an emulated page, or the stack. VP's CPU, with its
 * VMCS current. */
#include "core/emul/exec_internal.h"

#include "core/hw.h"
#include "core/lib/string.h"

#define ENTER_LEVELS 31u

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
		TRY_ACTION(resolve_seg(x, in->seg, operand_offset(x->vp, in), false, &src));
	TRY_ACTION(resolve_seg(x, SEG_SS, sp, true, &stack));
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

	TRY_ACTION(resolve_seg(x, SEG_SS, sp, false, &stack));
	if (in->mem_dst) {
		/* SDM POP: an address that uses ESP is computed after the increment. */
		offset = operand_offset(x->vp, in);
		if (in->base == GPR_SP)
			offset = (offset + in->opsize) & size_mask(in->addrsize);
		TRY_ACTION(resolve_seg(x, in->seg, offset, true, &dst));
	}
	val = operand_load(x->vp, x->mem, &stack);
	gpr_merge(x->vp, GPR_SP, width, sp + in->opsize);
	if (in->mem_dst)
		operand_store(x->vp, x->mem, &dst, val);
	else
		reg_set(x, in->opsize, val); /* POP RSP: the loaded value wins */
	return EXIT_NEXT_DECODED;
}

/* --- Several words at once --- */

static enum resolve stack_resolve(const struct exec *x, u64 offset, u32 len, bool write,
				  struct operand *op)
{
	return resolve_bytes(x, SEG_SS, offset & size_mask(stack_size(x->vp)), len, write, op);
}

enum resolve stack_peek_at(const struct exec *x, u32 skip, u64 *words, u32 count)
{
	u32 size = x->in->opsize;
	u8 buf[STACK_WORDS_MAX * 8];
	struct operand op;

	TRY_RESOLVE(stack_resolve(x, gpr_read(x->vp, GPR_SP) + skip, count * size, false, &op));
	operand_load_wide(x->vp, x->mem, &op, buf);
	for (u32 i = 0; i < count; i++) {
		words[i] = 0;
		(void)memcpy(&words[i], buf + i * size, size);
	}
	return RESOLVE_OK;
}

/* @words lowest address first: the new top of the stack is words[0]. */
enum resolve stack_push(const struct exec *x, const u64 *words, u32 count)
{
	u32 size = x->in->opsize;
	u64 sp = gpr_read(x->vp, GPR_SP) - count * size;
	u8 buf[STACK_WORDS_MAX * 8];
	struct operand op;

	TRY_RESOLVE(stack_resolve(x, sp, count * size, true, &op));
	for (u32 i = 0; i < count; i++)
		(void)memcpy(buf + i * size, &words[i], size);
	operand_store_wide(x->vp, x->mem, &op, buf);
	gpr_merge(x->vp, GPR_SP, stack_size(x->vp), sp);
	return RESOLVE_OK;
}

void stack_drop(const struct exec *x, u32 bytes)
{
	gpr_merge(x->vp, GPR_SP, stack_size(x->vp), gpr_read(x->vp, GPR_SP) + bytes);
}

/*
 * ENTER: BP, then the pointers of the enclosing frames, then the own one. They lie below BP in the
 * same order as they are pushed, so they are copied as one block.
 */
enum exit_action exec_enter(const struct exec *x)
{
	const struct insn *in = x->in;
	u32 width = stack_size(x->vp), level = (u32)(in->imm >> 16) & 31;
	u32 chain = level > 1 ? (level - 1) * in->opsize : 0;
	u32 len = in->opsize + (level != 0 ? chain + in->opsize : 0);
	u64 bp = gpr_read(x->vp, GPR_BP), sp = gpr_read(x->vp, GPR_SP);
	u64 frame = (sp - in->opsize) & size_mask(width);
	u8 buf[(ENTER_LEVELS + 1) * 8], *top = buf + len - in->opsize;
	struct operand from, to;

	if (chain != 0)
		TRY_ACTION(stack_resolve(x, bp - chain, chain, false, &from));
	TRY_ACTION(stack_resolve(x, sp - len, len, true, &to));
	if (chain != 0)
		operand_load_wide(x->vp, x->mem, &from, top - chain);
	if (level != 0)
		(void)memcpy(buf, &frame, in->opsize);
	(void)memcpy(top, &bp, in->opsize);
	operand_store_wide(x->vp, x->mem, &to, buf);
	gpr_merge(x->vp, GPR_BP, width, frame);
	gpr_merge(x->vp, GPR_SP, width, sp - len - (in->imm & 0xffff));
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_leave(const struct exec *x)
{
	u64 bp = gpr_read(x->vp, GPR_BP);
	struct operand op;

	TRY_ACTION(stack_resolve(x, bp, x->in->opsize, false, &op));
	gpr_merge(x->vp, GPR_SP, stack_size(x->vp), bp + x->in->opsize);
	gpr_merge(x->vp, GPR_BP, x->in->opsize, operand_load(x->vp, x->mem, &op));
	return EXIT_NEXT_DECODED;
}
