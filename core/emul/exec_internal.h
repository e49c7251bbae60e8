/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An instruction under way: what exec.c gives to the families of instructions, one file each.
 * core/emul only; VP's CPU, with its VMCS current.
 */
#pragma once

#include "core/emul/operand_internal.h"

#include "core/emul/system.h"
#include "core/vp/vp.h"

struct exec {
	struct vp *vp;
	const struct insn *in;
	const struct emul_mem *mem;
	u64 gpa; /* address of the access that exited, or NO_EMULATED_PAGE: mem is NULL */
};

/* On no page, and where every operand of 2 bytes or more is translated: resolve_main(). */
#define NO_EMULATED_PAGE (~0ull)

/* resolve_action() - what a failure to resolve means for the instruction: it has done nothing. */
enum exit_action resolve_action(enum resolve r);

/* Go on, or fail as @expr does: TRY_RESOLVE in a function that resolves, TRY_ACTION in one that
 * executes. */
#define TRY_RESOLVE(expr)                   \
	do {                                \
		enum resolve try_ = (expr); \
		if (try_ != RESOLVE_OK)     \
			return try_;        \
	} while (0)
#define TRY_ACTION(expr)                             \
	do {                                         \
		enum resolve try_ = (expr);          \
		if (try_ != RESOLVE_OK)              \
			return resolve_action(try_); \
	} while (0)

/* resolve_bytes() - @len bytes at @offset of segment @seg. */
enum resolve resolve_bytes(const struct exec *x, u32 seg, u64 offset, u32 len, bool write,
			   struct operand *op);

/* resolve_seg() - the same for an operand of the instruction's size. */
static inline enum resolve resolve_seg(const struct exec *x, u32 seg, u64 offset, bool write,
				       struct operand *op)
{
	return resolve_bytes(x, seg, offset, x->in->opsize, write, op);
}

/* resolve_main() - the explicit memory operand, or the only one of a string instruction. */
enum resolve resolve_main(const struct exec *x, bool write, struct operand *op);

/* Register operand of the instruction, @size bytes, zero-extended. */
static inline u64 reg_get(const struct exec *x, u32 size)
{
	u64 val = gpr_read(x->vp, x->in->reg);

	if (x->in->high_byte)
		val >>= 8;
	return val & size_mask(size);
}

static inline void reg_set(const struct exec *x, u32 size, u64 val)
{
	if (x->in->high_byte) {
		u64 old = gpr_read(x->vp, x->in->reg);

		gpr_write(x->vp, x->in->reg, (old & ~0xff00ull) | (val & 0xff) << 8);
		return;
	}
	gpr_merge(x->vp, x->in->reg, size, val);
}

#define STACK_WORDS_MAX 5u

/*
 * stack_push(), stack_peek() - @count words of the operand's size, lowest address first, all or
 * none. stack_peek_at() - behind @skip bytes. stack_drop() - move SP up. exec_stack.c
 */
enum resolve stack_push(const struct exec *x, const u64 *words, u32 count);
enum resolve stack_peek_at(const struct exec *x, u32 skip, u64 *words, u32 count);
void stack_drop(const struct exec *x, u32 bytes);

static inline enum resolve stack_peek(const struct exec *x, u64 *words, u32 count)
{
	return stack_peek_at(x, 0, words, count);
}

/* Instructions by emul_op: exec_string.c, exec_math.c, exec_stack.c, exec_flow.c, exec_seg.c. */
enum exit_action exec_stos_lods(const struct exec *x);
enum exit_action exec_movs(const struct exec *x);
enum exit_action exec_compare(const struct exec *x);
enum exit_action exec_port(const struct exec *x);
enum exit_action exec_muldiv(const struct exec *x);
enum exit_action exec_imul(const struct exec *x);
enum exit_action exec_double_shift(const struct exec *x);
enum exit_action exec_bit_scan(const struct exec *x);
enum exit_action exec_cmov(const struct exec *x);
enum exit_action exec_setcc(const struct exec *x);
enum exit_action exec_smsw(const struct exec *x);
enum exit_action exec_push(const struct exec *x);
enum exit_action exec_pop(const struct exec *x);
enum exit_action exec_enter(const struct exec *x);
enum exit_action exec_leave(const struct exec *x);
enum exit_action exec_jmp(const struct exec *x);
enum exit_action exec_call(const struct exec *x);
enum exit_action exec_ret(const struct exec *x);
enum exit_action exec_far(const struct exec *x);
enum exit_action exec_ret_far(const struct exec *x);
enum exit_action exec_iret(const struct exec *x);
enum exit_action exec_mov_from_sreg(const struct exec *x);
enum exit_action exec_mov_to_sreg(const struct exec *x);
enum exit_action exec_load_system(const struct exec *x);
enum exit_action exec_store_system(const struct exec *x);
enum exit_action exec_load_table(const struct exec *x);
enum exit_action exec_store_table(const struct exec *x);
