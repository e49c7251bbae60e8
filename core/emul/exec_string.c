/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * String instructions against an emulated page. One iteration per exit. VP's CPU, with its VMCS
 * current.
 *
 * Spec: SDM Vol. 2, "REP/REPE/REPZ/REPNE/REPNZ"; SDM Vol. 1, "I/O Permission Bit Map".
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "core/hw.h"
#include "core/surface/pio.h"

/* What one iteration did. */
struct iteration {
	bool si, di; /* it used the operand there */
	bool ended;  /* a comparison ends the loop */
};

static bool is_repeated(const struct insn *in)
{
	return in->rep || in->repne;
}

static u64 count(const struct exec *x)
{
	return gpr_read(x->vp, GPR_CX) & size_mask(x->in->addrsize);
}

/* REP with a count of 0, which accesses nothing: the code has changed meanwhile. */
static bool is_over(const struct exec *x)
{
	return is_repeated(x->in) && count(x) == 0;
}

/* Move an address or count register by @delta in the instruction's address size. */
static void addr_reg_add(const struct exec *x, u32 nr, u64 delta)
{
	gpr_merge(x->vp, nr, x->in->addrsize, gpr_read(x->vp, nr) + delta);
}

/* After one iteration: step SI and DI and count down; repeat until the count is 0. */
static enum exit_action string_done(const struct exec *x, struct iteration did)
{
	const struct insn *in = x->in;
	bool down = (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_DF) != 0;
	u64 step = down ? -(u64)in->opsize : in->opsize;

	if (did.si)
		addr_reg_add(x, GPR_SI, step);
	if (did.di)
		addr_reg_add(x, GPR_DI, step);
	if (!is_repeated(in))
		return EXIT_NEXT_DECODED;
	addr_reg_add(x, GPR_CX, ~0ull);
	return count(x) == 0 || did.ended ? EXIT_NEXT_DECODED : EXIT_ITERATION;
}

static enum resolve resolve_si(const struct exec *x, struct operand *op)
{
	return resolve_seg(x, x->in->seg, gpr_read(x->vp, GPR_SI) & size_mask(x->in->addrsize),
			   false, op);
}

static enum resolve resolve_di(const struct exec *x, bool write, struct operand *op)
{
	return resolve_seg(x, SEG_ES, gpr_read(x->vp, GPR_DI) & size_mask(x->in->addrsize), write,
			   op);
}

enum exit_action exec_stos_lods(const struct exec *x)
{
	bool store = x->in->op == EMUL_STOS;
	struct operand op;

	if (is_over(x))
		return EXIT_NEXT_DECODED;
	TRY_ACTION(resolve_main(x, store, &op));
	if (store)
		operand_store(x->vp, x->mem, &op, reg_get(x, x->in->opsize));
	else
		reg_set(x, x->in->opsize, operand_load(x->vp, x->mem, &op));
	return string_done(x, (struct iteration){ .si = !store, .di = store });
}

enum exit_action exec_movs(const struct exec *x)
{
	struct operand src, dst;

	if (is_over(x))
		return EXIT_NEXT_DECODED;
	TRY_ACTION(resolve_si(x, &src));
	TRY_ACTION(resolve_di(x, true, &dst));
	operand_store(x->vp, x->mem, &dst, operand_load(x->vp, x->mem, &src));
	return string_done(x, (struct iteration){ .si = true, .di = true });
}

/* CMPS, SCAS: REPE goes on while they are equal, REPNE while they differ. */
enum exit_action exec_compare(const struct exec *x)
{
	const struct insn *in = x->in;
	bool cmps = in->op == EMUL_CMPS;
	u64 flags = hw_vmread(VMCS_GUEST_RFLAGS);
	struct operand src, dst;
	u64 first = reg_get(x, in->opsize);

	if (is_over(x))
		return EXIT_NEXT_DECODED;
	if (cmps)
		TRY_ACTION(resolve_si(x, &src));
	TRY_ACTION(resolve_di(x, false, &dst));
	if (cmps)
		first = operand_load(x->vp, x->mem, &src);
	(void)alu_binary(EMUL_CMP, in->opsize, first, operand_load(x->vp, x->mem, &dst), &flags);
	hw_vmwrite(VMCS_GUEST_RFLAGS, flags);
	return string_done(x,
			   (struct iteration){ .si = cmps,
					       .di = true,
					       .ended = ((flags & RFLAGS_ZF) != 0) == in->repne });
}

/*
 * The CPU has checked it before the access; check again, as the code may have changed meanwhile,
 * and the port is really accessed. ERR_FAULT: a fault is queued.
 */
static err_t check_port(struct vp *vp, u16 port, u32 size)
{
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS);
	u64 tss = hw_vmread(VMCS_GUEST_TR_BASE), limit = hw_vmread(VMCS_GUEST_TR_LIMIT);
	bool v86 = (rflags & RFLAGS_VM) != 0;
	u16 map = 0, bits = 0;

	if (!(hw_vmread(VMCS_GUEST_CR0) & CR0_PE) ||
	    (!v86 && vp_cpl(vp) <= FIELD_GET(RFLAGS_IOPL, rflags)))
		return ERR_NONE;
	if (limit >= TSS32_IOMAP_BASE + 1)
		TRY(system_read(vp, tss + TSS32_IOMAP_BASE, &map, sizeof(map)));
	if (map != 0 && map + port / 8u + 1 <= limit)
		TRY(system_read(vp, tss + map + port / 8u, &bits, sizeof(bits)));
	else
		bits = 0xffff;
	if (!(bits >> port % 8 & (BIT32(size) - 1)))
		return ERR_NONE;
	(void)vp_fault_gp0(vp);
	return ERR_FAULT;
}

/* A port that is the machine's: those of ours exit by themselves, core/exit/exit_io.c. */
enum exit_action exec_port(const struct exec *x)
{
	struct vp *vp = x->vp;
	u16 port = (u16)vp->regs.rdx;
	bool in = x->in->op == EMUL_INS;
	struct operand op;
	u32 val = 0;

	if (is_over(x))
		return EXIT_NEXT_DECODED;
	if (check_port(vp, port, x->in->opsize) != ERR_NONE)
		return EXIT_RESUME;
	TRY_ACTION(resolve_main(x, in, &op));
	if (!in)
		val = (u32)operand_load(vp, x->mem, &op);
	pio_access(vp, port, x->in->opsize, !in, &val);
	if (in)
		operand_store(vp, x->mem, &op, val);
	return string_done(x, (struct iteration){ .si = !in, .di = in });
}
