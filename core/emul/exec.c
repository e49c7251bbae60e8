/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes decoded instructions against an emulated page. VP's CPU, with its VMCS current.
 *
 * The CPU has done every check of the access that exited: use its operand at the guest-physical
 * address of the exit and do not translate again. Only operands across two pages and second
 * operands (MOVS, PUSH, POP) are translated here.
 *
 * Spec: SDM Vol. 2, the instruction reference.
 */
#include "core/emul/operand_internal.h"

#include "arch/x86/defs/cr.h"
#include "core/diag/counters.h"
#include "core/hw.h"
#include "core/vp/vp.h"

struct exec {
	struct vp *vp;
	const struct insn *in;
	const struct emul_mem *mem;
	u64 gpa; /* address of the access that exited */
};

#define TRY_RESOLVE(x, expr)                             \
	do {                                             \
		enum resolve try_res_ = (expr);          \
		if (try_res_ != RESOLVE_OK)              \
			return resolve_action(try_res_); \
	} while (0)

static enum exit_action resolve_action(enum resolve r)
{
	if (r == RESOLVE_AGAIN)
		return EXIT_RETRY;
	return r == RESOLVE_FAULT ? EXIT_RESUME : EXIT_UNHANDLED;
}

/* Register operand of the instruction, @size bytes, zero-extended. */
static inline u64 reg_get(const struct exec *x, u32 size)
{
	u64 val = gpr_read(x->vp, x->in->reg);

	if (x->in->high_byte)
		val >>= 8;
	return val & size_mask(size);
}

/* 32-bit results clear the upper half; 8- and 16-bit ones leave the rest. */
static inline void gpr_merge(struct vp *vp, u32 nr, u32 size, u64 val)
{
	val &= size_mask(size);
	if (size < 4)
		val |= gpr_read(vp, nr) & ~size_mask(size);
	gpr_write(vp, nr, val);
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

/* Result of a load: MOVZX, MOVSX and MOVSXD widen it. */
static inline u64 widen(const struct insn *in, u64 val)
{
	return in->sign_extend ? size_extend(val, in->opsize) : val;
}

static enum resolve resolve_seg(const struct exec *x, u32 seg, u64 offset, bool write,
				struct operand *op)
{
	u64 linear;

	if (emul_linear(x->vp, seg, offset, x->in->opsize, write, &linear) != ERR_NONE)
		return RESOLVE_FAULT;
	return operand_resolve(x->vp, x->gpa, linear, x->in->opsize, write, op);
}

static bool is_bit_op(enum emul_op op)
{
	return op >= EMUL_BT && op <= EMUL_BTC;
}

/* Offset of the operand. BT and its kin with a register bit offset may address memory on either
 * side of it. */
static u64 main_offset(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 at = operand_offset(x->vp, in);

	if (is_bit_op(in->op) && !in->has_imm) {
		s64 bit = (s64)size_extend(gpr_read(x->vp, in->reg), in->opsize);
		s64 bits = 8ll * in->opsize;

		at += (u64)((bit & ~(bits - 1)) / 8);
	}
	return at & size_mask(in->addrsize);
}

/* The CPU may report an access across two pages at the start of the second. */
static inline bool can_straddle(u64 gpa, u32 size)
{
	u64 off = gpa & (PAGE_SIZE - 1);

	return off < size - 1u || off > PAGE_SIZE - size;
}

/* The explicit memory operand, or the one of STOS and LODS. */
static enum resolve resolve_main(const struct exec *x, bool write, struct operand *op)
{
	if (can_straddle(x->gpa, x->in->opsize))
		return resolve_seg(x, x->in->seg, main_offset(x), write, op);
	*op = (struct operand){ .gpa = { gpa(x->gpa) },
				.len = { x->in->opsize, 0 },
				.place = { PLACE_EMULATED } };
	return RESOLVE_OK;
}

static enum exit_action exec_mov(const struct exec *x)
{
	const struct insn *in = x->in;
	struct operand op;

	TRY_RESOLVE(x, resolve_main(x, in->mem_dst, &op));
	if (in->mem_dst)
		operand_store(x->vp, x->mem, &op, in->has_imm ? in->imm : reg_get(x, in->opsize));
	else
		reg_set(x, in->regsize, widen(in, operand_load(x->vp, x->mem, &op)));
	return EXIT_NEXT_DECODED;
}

static enum exit_action exec_vmov(const struct exec *x)
{
	u64 buf[4] = { 0 };
	struct operand op;

	if (vec_fault(x->vp, x->in) != ERR_NONE)
		return EXIT_RESUME;
	TRY_RESOLVE(x, resolve_main(x, x->in->mem_dst, &op));
	if (x->in->mem_dst) {
		vec_get(x->in, buf);
		operand_store_wide(x->vp, x->mem, &op, (const u8 *)buf);
	} else {
		operand_load_wide(x->vp, x->mem, &op, (u8 *)buf);
		vec_set(x->in, buf);
	}
	return EXIT_NEXT_DECODED;
}

/* ADD..CMP, TEST */
static enum exit_action exec_binary(const struct exec *x)
{
	const struct insn *in = x->in;
	bool store = in->mem_dst && in->op != EMUL_CMP && in->op != EMUL_TEST;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	struct operand op;
	u64 mem, reg, res;

	TRY_RESOLVE(x, resolve_main(x, store, &op));
	mem = operand_load(x->vp, x->mem, &op);
	reg = in->has_imm ? in->imm : reg_get(x, in->opsize);
	res = alu_binary(in->op, in->opsize, in->mem_dst ? mem : reg, in->mem_dst ? reg : mem,
			 &flags);
	if (store)
		operand_store(x->vp, x->mem, &op, res);
	else if (in->op != EMUL_CMP && in->op != EMUL_TEST)
		reg_set(x, in->opsize, res);
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* INC, DEC, NOT, NEG */
static enum exit_action exec_unary(const struct exec *x)
{
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	struct operand op;
	u64 res;

	TRY_RESOLVE(x, resolve_main(x, true, &op));
	res = alu_unary(x->in->op, x->in->opsize, operand_load(x->vp, x->mem, &op), &flags);
	operand_store(x->vp, x->mem, &op, res);
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* XCHG, XADD, CMPXCHG */
static enum exit_action exec_exchange(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	u64 reg = reg_get(x, in->opsize);
	struct operand op;
	u64 old, acc;

	TRY_RESOLVE(x, resolve_main(x, true, &op));
	old = operand_load(x->vp, x->mem, &op);
	if (in->op == EMUL_CMPXCHG) {
		acc = gpr_read(x->vp, GPR_AX) & size_mask(in->opsize);
		(void)alu_binary(in->op, in->opsize, acc, old, &flags);
		/* Like the CPU, write even if they differ: the old value then. */
		operand_store(x->vp, x->mem, &op, acc == old ? reg : old);
		if (acc != old)
			gpr_merge(x->vp, GPR_AX, in->opsize, old);
	} else {
		u64 res = in->op == EMUL_XADD ? alu_binary(in->op, in->opsize, old, reg, &flags)
					      : reg;

		operand_store(x->vp, x->mem, &op, res);
		reg_set(x, in->opsize, old);
	}
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* BT, BTS, BTR, BTC */
static enum exit_action exec_bit(const struct exec *x)
{
	const struct insn *in = x->in;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	u32 bit = (u32)(in->has_imm ? in->imm : gpr_read(x->vp, in->reg)) & (8u * in->opsize - 1);
	struct operand op;
	u64 res;

	TRY_RESOLVE(x, resolve_main(x, in->op != EMUL_BT, &op));
	res = alu_bit(in->op, operand_load(x->vp, x->mem, &op), bit, &flags);
	if (in->op != EMUL_BT)
		operand_store(x->vp, x->mem, &op, res);
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

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

static enum exit_action exec_stos_lods(const struct exec *x)
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

static enum exit_action exec_movs(const struct exec *x)
{
	u64 di = gpr_read(x->vp, GPR_DI) & size_mask(x->in->addrsize);
	struct operand src, dst;

	TRY_RESOLVE(x, resolve_seg(x, x->in->seg, operand_offset(x->vp, x->in), false, &src));
	TRY_RESOLVE(x, resolve_seg(x, SEG_ES, di, true, &dst));
	operand_store(x->vp, x->mem, &dst, operand_load(x->vp, x->mem, &src));
	return string_done(x, true, true);
}

/* Width of the stack pointer: SDM Vol. 1, "Address-Size Attributes for Stack Accesses". */
static u32 stack_size(const struct vp *vp)
{
	if (emul_cpu_mode(vp) == EMUL_64)
		return 8;
	return (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? 4 : 2;
}

static enum exit_action exec_push(const struct exec *x)
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

static enum exit_action exec_pop(const struct exec *x)
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

static enum exit_action exec_slow(const struct exec *x)
{
	switch (x->in->op) {
	case EMUL_MOV:
		return exec_mov(x);
	case EMUL_STOS:
	case EMUL_LODS:
		return exec_stos_lods(x);
	case EMUL_MOVS:
		return exec_movs(x);
	case EMUL_ADD:
	case EMUL_OR:
	case EMUL_ADC:
	case EMUL_SBB:
	case EMUL_AND:
	case EMUL_SUB:
	case EMUL_XOR:
	case EMUL_CMP:
	case EMUL_TEST:
		return exec_binary(x);
	case EMUL_INC:
	case EMUL_DEC:
	case EMUL_NOT:
	case EMUL_NEG:
		return exec_unary(x);
	case EMUL_XCHG:
	case EMUL_CMPXCHG:
	case EMUL_XADD:
		return exec_exchange(x);
	case EMUL_BT:
	case EMUL_BTS:
	case EMUL_BTR:
	case EMUL_BTC:
		return exec_bit(x);
	case EMUL_PUSH:
		return exec_push(x);
	case EMUL_POP:
		return exec_pop(x);
	case EMUL_VMOV:
		return exec_vmov(x);
	}
	UNREACHABLE();
}

/* Too few bytes at RIP: a page has gone since the CPU fetched from it. */
static enum exit_action fetch_failed(struct vp *vp, const struct code *code)
{
	const struct walk_fault *f = &code->fault;

	if (code->again)
		return EXIT_RETRY;
	if (f->page_fault)
		return vp_fault_page(vp, f->gva, f->code);
	COUNT(vp, DECODE_FAILED);
	TRACE(vp, DECODE_FAILED, 0, hw_vmread(VMCS_GUEST_RIP), f->gva);
	return EXIT_UNHANDLED;
}

static enum exit_action exec_insn(const struct exec *x)
{
	const struct insn *in = x->in;
	u32 size = in->opsize;

	COUNT(x->vp, EMULATED);
	x->vp->insn_len = in->len;

	/* Register accesses of drivers: one aligned MOV. */
	if (unlikely(in->op != EMUL_MOV || can_straddle(x->gpa, size)))
		return exec_slow(x);
	if (in->mem_dst) {
		u64 val = in->has_imm ? in->imm : reg_get(x, size);

		x->mem->write(x->vp, x->gpa, size, val & size_mask(size));
	} else {
		u64 val = x->mem->read(x->vp, x->gpa, size) & size_mask(size);

		reg_set(x, in->regsize, widen(in, val));
	}
	return EXIT_NEXT_DECODED;
}

/* Not in the cache: walk, fetch and decode. */
static NOINLINE enum exit_action exec_uncached(const struct exec *x, enum emul_mode mode)
{
	struct exec now = *x;
	struct code code;
	struct insn in;
	err_t err;

	fetch_code(x->vp, mode, &code);
	err = emul_decode((const u8 *)code.raw, code.len, mode, &in);
	if (err == ERR_RANGE)
		return fetch_failed(x->vp, &code);
	if (err != ERR_NONE) {
		COUNT(x->vp, DECODE_FAILED);
		return EXIT_UNHANDLED;
	}
	if (mode == EMUL_64)
		cache_add(x->vp, &code, &in);
	now.in = &in;
	return exec_insn(&now);
}

enum exit_action emul_execute(struct vp *vp, u64 gpa, const struct emul_mem *mem)
{
	enum emul_mode mode = emul_cpu_mode(vp);
	struct exec x = { .vp = vp, .mem = mem, .gpa = gpa };

	x.in = mode == EMUL_64 ? cache_find(vp) : NULL;
	if (unlikely(x.in == NULL))
		return exec_uncached(&x, mode);
	return exec_insn(&x);
}
