/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Executes decoded instructions against an emulated page. VP's CPU, with its VMCS current.
 *
 * The CPU has done every check of the access that exited: use its operand at the guest-physical
 * address of the exit and do not translate again. Translated are only operands across two pages,
 * and those of instructions with several (MOVS, stacks, far pointers): which one exited is unknown.
 *
 * Spec: SDM Vol. 2, the instruction reference.
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "core/diag/counters.h"
#include "core/diag/log.h"
#include "core/hw.h"

enum exit_action resolve_action(enum resolve r)
{
	switch (r) {
	case RESOLVE_FAULT:
		return EXIT_RESUME;
	case RESOLVE_AGAIN:
		return EXIT_RETRY;
	case RESOLVE_STOP:
		log_error("an instruction writes to what no guest may write, rip 0x%llx",
			  hw_vmread(VMCS_GUEST_RIP));
		return EXIT_STOP;
	case RESOLVE_OK: /* not here */
	case RESOLVE_FOREIGN:
		break;
	}
	return EXIT_UNHANDLED;
}

enum resolve resolve_bytes(const struct exec *x, u32 seg, u64 offset, u32 len, bool write,
			   struct operand *op)
{
	u64 linear;

	if (emul_linear(x->vp, seg, offset, len, write, &linear) != ERR_NONE)
		return RESOLVE_FAULT;
	return operand_resolve(x->vp, x->gpa, linear, len, write, op);
}

/* Result of a load: MOVZX, MOVSX and MOVSXD widen it. */
static inline u64 widen(const struct insn *in, u64 val)
{
	return in->sign_extend ? size_extend(val, in->opsize) : val;
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

enum resolve resolve_main(const struct exec *x, bool write, struct operand *op)
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

	TRY_ACTION(resolve_main(x, in->mem_dst, &op));
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
	TRY_ACTION(resolve_main(x, x->in->mem_dst, &op));
	if (x->in->mem_dst) {
		if (vec_get(x->vp, x->in, buf) != ERR_NONE)
			return EXIT_RESUME;
		operand_store_wide(x->vp, x->mem, &op, (const u8 *)buf);
	} else {
		operand_load_wide(x->vp, x->mem, &op, (u8 *)buf);
		if (vec_set(x->vp, x->in, buf) != ERR_NONE)
			return EXIT_RESUME;
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

	TRY_ACTION(resolve_main(x, store, &op));
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

	TRY_ACTION(resolve_main(x, true, &op));
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

	TRY_ACTION(resolve_main(x, true, &op));
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

	TRY_ACTION(resolve_main(x, in->op != EMUL_BT, &op));
	res = alu_bit(in->op, operand_load(x->vp, x->mem, &op), bit, &flags);
	if (in->op != EMUL_BT)
		operand_store(x->vp, x->mem, &op, res);
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return EXIT_NEXT_DECODED;
}

/* clang-format off */
static enum exit_action (*const exec_fn[EMUL_OPS])(const struct exec *x) = {
	[EMUL_MOV] = exec_mov,
	[EMUL_STOS] = exec_stos_lods,
	[EMUL_LODS] = exec_stos_lods,
	[EMUL_MOVS] = exec_movs,
	[EMUL_CMPS ... EMUL_SCAS] = exec_compare,
	[EMUL_INS ... EMUL_OUTS] = exec_port,
	[EMUL_ADD ... EMUL_TEST] = exec_binary,
	[EMUL_INC ... EMUL_NEG] = exec_unary,
	[EMUL_XCHG ... EMUL_XADD] = exec_exchange,
	[EMUL_BT ... EMUL_BTC] = exec_bit,
	[EMUL_MUL ... EMUL_IDIV] = exec_muldiv,
	[EMUL_IMUL_REG] = exec_imul,
	[EMUL_SHLD ... EMUL_SHRD] = exec_double_shift,
	[EMUL_BSF ... EMUL_BSR] = exec_bit_scan,
	[EMUL_CMOV] = exec_cmov,
	[EMUL_SETCC] = exec_setcc,
	[EMUL_SMSW] = exec_smsw,
	[EMUL_PUSH] = exec_push,
	[EMUL_POP] = exec_pop,
	[EMUL_ENTER] = exec_enter,
	[EMUL_LEAVE] = exec_leave,
	[EMUL_JMP] = exec_jmp,
	[EMUL_CALL] = exec_call,
	[EMUL_RET] = exec_ret,
	[EMUL_JMP_FAR ... EMUL_CALL_FAR] = exec_far,
	[EMUL_RET_FAR] = exec_ret_far,
	[EMUL_IRET] = exec_iret,
	[EMUL_MOV_FROM_SREG] = exec_mov_from_sreg,
	[EMUL_MOV_TO_SREG] = exec_mov_to_sreg,
	[EMUL_SGDT ... EMUL_SIDT] = exec_store_table,
	[EMUL_LGDT ... EMUL_LIDT] = exec_load_table,
	[EMUL_SLDT ... EMUL_STR] = exec_store_system,
	[EMUL_LLDT ... EMUL_LTR] = exec_load_system,
	[EMUL_VMOV] = exec_vmov,
};
/* clang-format on */

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

static inline void exec_begin(const struct exec *x)
{
	COUNT(x->vp, EMULATED);
	x->vp->insn_len = x->in->len;
}

static enum exit_action exec_insn(const struct exec *x)
{
	const struct insn *in = x->in;
	u32 size = in->opsize;

	exec_begin(x);
	/* SPEED(register-move): register accesses of drivers are one aligned MOV */
	if (unlikely(in->op != EMUL_MOV || can_straddle(x->gpa, size)))
		return exec_fn[in->op](x);
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

enum exit_action emul_table_access(struct vp *vp, enum emul_op op)
{
	enum emul_mode mode = emul_cpu_mode(vp);
	struct code code;
	struct insn in;
	const struct exec x = { .vp = vp, .in = &in, .gpa = NO_EMULATED_PAGE };
	err_t err;

	fetch_code(vp, mode, &code);
	err = emul_decode((const u8 *)code.raw, code.len, mode, &in);
	if (err == ERR_RANGE)
		return fetch_failed(vp, &code);
	if (err != ERR_NONE || in.op != op)
		return EXIT_RESUME; /* the CPU executes what is there now */
	exec_begin(&x);
	return exec_fn[op](&x);
}

enum exit_action emul_execute(struct vp *vp, u64 gpa, const struct emul_mem *mem)
{
	enum emul_mode mode = emul_cpu_mode(vp);
	struct exec x = { .vp = vp, .mem = mem, .gpa = gpa };

	/* SPEED(decode-cache): cache.c */
	x.in = mode == EMUL_64 ? cache_find(vp) : NULL;
	if (unlikely(x.in == NULL))
		return exec_uncached(&x, mode);
	return exec_insn(&x);
}
