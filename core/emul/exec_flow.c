/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JMP, CALL, RET and IRET, near and far, whose pointer or stack is on an emulated page. Gates, task
 * switches and virtual-8086 mode are declined. VP's CPU, with its VMCS current.
 *
 * RIP is replaced. The dispatcher retires the rest: EXIT_NEXT_DECODED with a length of 0, or
 * EXIT_NEXT_IRET.
 *
 * Spec: SDM Vol. 2, JMP, CALL, RET, IRET.
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "core/hw.h"

/* Words of a frame, lowest address first. */
enum frame { FRAME_IP, FRAME_CS, FRAME_FLAGS, FRAME_SP, FRAME_SS, FRAME_WORDS };

/* Flags that IRET loads at any privilege. */
#define FLAGS_USER                                                                           \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_DF | \
	 RFLAGS_OF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

static u64 next_rip(const struct exec *x)
{
	u64 next = hw_vmread(VMCS_GUEST_RIP) + x->in->len;

	return emul_cpu_mode(x->vp) == EMUL_64 ? next : (u32)next;
}

static enum exit_action jump(const struct exec *x, u64 rip)
{
	hw_vmwrite(VMCS_GUEST_RIP, rip);
	x->vp->insn_len = 0;
	return EXIT_NEXT_DECODED;
}

/* In the present code segment. */
static err_t check_near(const struct exec *x, u64 rip)
{
	struct segment_user u = { .vp = x->vp };

	return segment_check_rip(&u, NULL, rip);
}

/* Where a near JMP or CALL goes: its immediate says how far, or its operand or register where. */
static enum resolve near_target(const struct exec *x, u64 *rip)
{
	const struct insn *in = x->in;
	struct operand op;

	if (in->has_imm) {
		*rip = (next_rip(x) + in->imm) & size_mask(in->opsize);
		return RESOLVE_OK;
	}
	if (in->mem_dst) {
		*rip = reg_get(x, in->opsize);
		return RESOLVE_OK;
	}
	TRY_RESOLVE(resolve_seg(x, in->seg, operand_offset(x->vp, in), false, &op));
	*rip = operand_load(x->vp, x->mem, &op);
	return RESOLVE_OK;
}

enum exit_action exec_jmp(const struct exec *x)
{
	u64 rip;

	TRY_ACTION(near_target(x, &rip));
	if (check_near(x, rip) != ERR_NONE)
		return EXIT_RESUME;
	return jump(x, rip);
}

enum exit_action exec_call(const struct exec *x)
{
	u64 next = next_rip(x), rip;

	TRY_ACTION(near_target(x, &rip));
	if (check_near(x, rip) != ERR_NONE)
		return EXIT_RESUME;
	TRY_ACTION(stack_push(x, &next, 1));
	return jump(x, rip);
}

enum exit_action exec_ret(const struct exec *x)
{
	u64 rip;

	TRY_ACTION(stack_peek(x, &rip, 1));
	if (check_near(x, rip) != ERR_NONE)
		return EXIT_RESUME;
	stack_drop(x, x->in->opsize + (x->in->imm & 0xffff));
	return jump(x, rip);
}

/* --- Far --- */

/* Real mode: no checks but the limit. */
static enum exit_action jump_real(const struct exec *x, u16 selector, u64 rip)
{
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, selector);
	hw_vmwrite(VMCS_GUEST_CS_BASE, (u64)selector << 4);
	return jump(x, rip);
}

/* The pointer: an offset of the operand's size, then a selector. */
static enum resolve far_pointer(const struct exec *x, u64 *rip, u16 *selector)
{
	u32 size = x->in->opsize;
	struct operand op;
	u8 buf[16] = { 0 };

	TRY_RESOLVE(
		resolve_bytes(x, x->in->seg, operand_offset(x->vp, x->in), size + 2u, false, &op));
	operand_load_wide(x->vp, x->mem, &op, buf);
	*selector = (u16)(buf[size] | buf[size + 1] << 8);
	*rip = 0;
	__builtin_memcpy(rip, buf, size);
	return RESOLVE_OK;
}

/* The target of a far JMP or CALL. RESOLVE_FOREIGN: a gate or a TSS. */
static enum resolve find_target(const struct segment_user *u, u16 selector, u64 rip,
				struct segment *cs)
{
	u32 cpl = vp_cpl(u->vp);

	if (segment_find(u, EXC_GP, selector, cs) != ERR_NONE)
		return RESOLVE_FAULT;
	if (!(cs->desc & DESC_S) && FIELD_GET(DESC_TYPE, cs->desc) != 0)
		return RESOLVE_FOREIGN;
	if (!segment_runs_at(cs, cpl) || (!segment_is_conforming(cs) && segment_rpl(cs) > cpl)) {
		(void)segment_fault(u, EXC_GP, selector);
		return RESOLVE_FAULT;
	}
	if (segment_check_cs(u, cs) != ERR_NONE || segment_check_rip(u, cs, rip) != ERR_NONE)
		return RESOLVE_FAULT;
	return RESOLVE_OK;
}

enum exit_action exec_far(const struct exec *x)
{
	struct segment_user u = { .vp = x->vp };
	u64 frame[2] = { next_rip(x), hw_vmread(VMCS_GUEST_CS_SELECTOR) };
	struct segment cs;
	u16 selector;
	u64 rip;

	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM)
		return EXIT_UNHANDLED;
	TRY_ACTION(far_pointer(x, &rip, &selector));
	if (segment_has_descriptors())
		TRY_ACTION(find_target(&u, selector, rip, &cs));
	else if (check_near(x, rip) != ERR_NONE)
		return EXIT_RESUME;
	if (segment_has_descriptors() && segment_touch(x->vp, &cs) != ERR_NONE)
		return EXIT_RESUME;
	if (x->in->op == EMUL_CALL_FAR)
		TRY_ACTION(stack_push(x, frame, 2));
	if (!segment_has_descriptors())
		return jump_real(x, selector, rip);
	segment_set(SEG_CS, &cs, vp_cpl(x->vp));
	return jump(x, rip);
}

/* --- RET far and IRET --- */

struct ret {
	u64 word[FRAME_WORDS];
	struct segment cs, ss;
	u32 cpl;    /* that it returns to */
	bool stack; /* the frame has SP and SS */
	bool null_ss;
};

/* CS of the frame, and the privilege that it returns to. */
static err_t check_ret_cs(const struct segment_user *u, struct ret *r)
{
	u16 selector = (u16)r->word[FRAME_CS];

	r->cpl = selector & SEL_RPL;
	TRY(segment_find(u, EXC_GP, selector, &r->cs));
	if (r->cpl < vp_cpl(u->vp) || !segment_runs_at(&r->cs, r->cpl))
		return segment_fault(u, EXC_GP, selector);
	TRY(segment_check_cs(u, &r->cs));
	return segment_check_rip(u, &r->cs, r->word[FRAME_IP]);
}

static err_t check_ret_ss(const struct segment_user *u, struct ret *r)
{
	u16 selector = (u16)r->word[FRAME_SS];
	bool to64 = segment_in_long_mode() && (r->cs.desc & DESC_L);

	r->null_ss =
		selector_is_null(selector) && to64 && r->cpl != 3 && (selector & SEL_RPL) == r->cpl;
	if (r->null_ss)
		return ERR_NONE;
	TRY(segment_find(u, EXC_GP, selector, &r->ss));
	return segment_check_ss(u, EXC_GP, &r->ss, r->cpl);
}

/* Less privileged code keeps no segment that it could not have loaded. */
static void drop_data_segments(u32 cpl)
{
	static const u8 data[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		u32 ar = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_AR, data[i]));
		bool conforming = (ar & AR_TYPE_CODE) && (ar & AR_TYPE_CONFORMING);

		if (!(ar & AR_UNUSABLE) && !conforming && FIELD_GET(AR_DPL, ar) < cpl)
			segment_write_null(data[i], 0, 0);
	}
}

static void load_ret_stack(const struct exec *x, const struct ret *r, u32 release)
{
	u64 width = 8, sp = r->word[FRAME_SP] + release;

	if (r->null_ss)
		segment_write_null(SEG_SS, (u16)r->word[FRAME_SS], r->cpl);
	else
		segment_set(SEG_SS, &r->ss, r->cpl);
	if (!(segment_in_long_mode() && (r->cs.desc & DESC_L)))
		width = (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? 4 : 2;
	gpr_merge(x->vp, GPR_SP, (u32)width, sp);
}

/*
 * The frame is read and the segments are checked. @words: of the frame that lie on this stack;
 * @release: bytes of arguments.
 */
static err_t commit_ret(const struct exec *x, const struct ret *r, u32 words, u32 release)
{
	u32 cpl = vp_cpl(x->vp);

	TRY(segment_touch(x->vp, &r->cs));
	if (r->stack && !r->null_ss)
		TRY(segment_touch(x->vp, &r->ss));
	if (!r->stack)
		stack_drop(x, words * x->in->opsize + release);
	else
		load_ret_stack(x, r, release);
	segment_set(SEG_CS, &r->cs, r->cpl);
	if (r->cpl > cpl)
		drop_data_segments(r->cpl);
	return ERR_NONE;
}

enum exit_action exec_ret_far(const struct exec *x)
{
	struct segment_user u = { .vp = x->vp };
	u32 release = (u32)x->in->imm & 0xffff;
	struct ret r = { .stack = false };

	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM)
		return EXIT_UNHANDLED;
	TRY_ACTION(stack_peek(x, r.word, 2));
	if (!segment_has_descriptors()) {
		if (check_near(x, r.word[FRAME_IP]) != ERR_NONE)
			return EXIT_RESUME;
		stack_drop(x, 2u * x->in->opsize + release);
		return jump_real(x, (u16)r.word[FRAME_CS], r.word[FRAME_IP]);
	}
	if (check_ret_cs(&u, &r) != ERR_NONE)
		return EXIT_RESUME;
	if (r.cpl > vp_cpl(x->vp)) {
		r.stack = true;
		TRY_ACTION(stack_peek_at(x, 2u * x->in->opsize + release, &r.word[FRAME_SP], 2));
		if (check_ret_ss(&u, &r) != ERR_NONE)
			return EXIT_RESUME;
	}
	if (commit_ret(x, &r, 2, release) != ERR_NONE)
		return EXIT_RESUME;
	return jump(x, r.word[FRAME_IP]);
}

/* What IRET loads at this privilege; the others stay. */
static u64 iret_flags(const struct vp *vp, u64 now, u64 loaded, u32 size)
{
	u64 mask = FLAGS_USER;
	u32 cpl = vp_cpl(vp);

	if (cpl <= FIELD_GET(RFLAGS_IOPL, now))
		mask |= RFLAGS_IF;
	if (cpl == 0)
		mask |= RFLAGS_IOPL | RFLAGS_VIF | RFLAGS_VIP;
	if (size == 2)
		mask &= 0xffff;
	return (now & ~mask) | (loaded & mask) | RFLAGS_FIXED;
}

enum exit_action exec_iret(const struct exec *x)
{
	struct segment_user u = { .vp = x->vp };
	bool in64 = emul_cpu_mode(x->vp) == EMUL_64;
	u64 now = hw_vmread(VMCS_GUEST_RFLAGS), flags;
	struct ret r = { .stack = in64 };
	u32 words = in64 ? 5 : 3;

	if (!segment_has_descriptors() || ((now & RFLAGS_NT) && !segment_in_long_mode()))
		return EXIT_UNHANDLED;
	if (now & RFLAGS_NT)
		return vp_fault_gp0(x->vp);
	TRY_ACTION(stack_peek(x, r.word, words));
	flags = iret_flags(x->vp, now, r.word[FRAME_FLAGS], x->in->opsize);
	if ((r.word[FRAME_FLAGS] & RFLAGS_VM) && x->in->opsize == 4 && vp_cpl(x->vp) == 0 &&
	    !segment_in_long_mode())
		return EXIT_UNHANDLED;
	if (check_ret_cs(&u, &r) != ERR_NONE)
		return EXIT_RESUME;
	if (r.cpl > vp_cpl(x->vp) && !in64) {
		r.stack = true;
		TRY_ACTION(stack_peek_at(x, 3u * x->in->opsize, &r.word[FRAME_SP], 2));
	}
	if (r.stack && check_ret_ss(&u, &r) != ERR_NONE)
		return EXIT_RESUME;
	if (commit_ret(x, &r, words, 0) != ERR_NONE)
		return EXIT_RESUME;
	hw_vmwrite(VMCS_GUEST_RIP, r.word[FRAME_IP]);
	x->vp->iret_rflags = flags;
	return EXIT_NEXT_IRET;
}
