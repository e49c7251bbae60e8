/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O instructions that touch an owned port (rule P1). VP's CPU.
 *
 * Spec: SDM Vol. 3C, "Exit Qualification for I/O Instructions"; SDM Vol. 2, INS, OUTS.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/reg.h"
#include "core/emul/emul.h"
#include "core/exit/exit.h"
#include "core/hw.h"
#include "core/mem/walk.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

static u64 bytes_mask(u32 size)
{
	return ~0ull >> (64 - 8 * size);
}

/* String I/O: operands of one iteration. */
struct string_io {
	u32 seg;
	u32 gpr; /* SI or DI */
	u64 addr_mask;
	u64 linear;
};

static u32 cpl_access(const struct vp *vp)
{
	return vp_cpl(vp) == 3 ? WALK_USER : 0;
}

static void reg_add(struct vp *vp, u32 gpr, u64 mask, u64 delta)
{
	u64 old = gpr_read(vp, gpr);
	u64 val = (old + delta) & mask;

	/* A 16-bit register keeps its upper part; a 32-bit one clears it. */
	if (mask == 0xffff)
		val |= old & ~mask;
	gpr_write(vp, gpr, val);
}

/* Page tables outside memory read all-ones: that is a reserved-bit fault. */
static enum exit_action memory_fault(struct vp *vp, const struct io_access *io, u32 access,
				     err_t err, const struct walk_fault *f)
{
	u32 code = PFEC_P | PFEC_RSVD;

	if (err == ERR_AGAIN)
		return EXIT_RETRY;
	if (f->page_fault)
		return vp_fault_page(vp, f->gva, f->code);
	if (io->in)
		code |= PFEC_W;
	if (access & WALK_USER)
		code |= PFEC_U;
	return vp_fault_page(vp, f->gva, code);
}

/* Check the memory operand before touching the port: reading a port has side effects. */
static enum exit_action string_iteration(struct vp *vp, const struct io_access *io,
					 const struct string_io *s)
{
	u32 access = cpl_access(vp);
	struct walk_fault f = { .page_fault = false };
	u32 val = 0;
	err_t err;

	if (!io->in) {
		err = gva_read(vp, s->linear, access, &val, io->size_bytes, &f);
		if (err != ERR_NONE)
			return memory_fault(vp, io, access, err, &f);
		pio_access(vp, io->port, io->size_bytes, true, &val);
		return EXIT_NEXT;
	}
	err = gva_check(vp, s->linear, access | WALK_WRITE, io->size_bytes, &f);
	if (err != ERR_NONE)
		return memory_fault(vp, io, access, err, &f);
	pio_access(vp, io->port, io->size_bytes, false, &val);
	do
		err = gva_write(vp, s->linear, access, &val, io->size_bytes, &f);
	while (page_retry(vp, err)); /* never read the port twice */
	if (err != ERR_NONE)
		return memory_fault(vp, io, access, err, &f);
	return EXIT_NEXT;
}

/* One iteration per exit: RIP stays until the count is 0. */
static enum exit_action exit_io_string(struct vp *vp, const struct io_access *io)
{
	/* vmx_caps.c requires it of the CPU. */
	u32 info = (u32)hw_vmread(VMCS_VMX_INSTRUCTION_INFO);
	u32 addr_bytes = 2u << FIELD_GET(INSTR_INFO_ADDRESS_SIZE, info);
	struct string_io s = {
		.seg = io->in ? SEG_ES : (u32)FIELD_GET(INSTR_INFO_SEGMENT, info),
		.gpr = io->in ? GPR_DI : GPR_SI,
	};
	enum exit_action action;
	u64 step;

	if (addr_bytes > 8)
		return EXIT_STOP;
	s.addr_mask = bytes_mask(addr_bytes);
	if (io->rep && (gpr_read(vp, GPR_CX) & s.addr_mask) == 0)
		return EXIT_NEXT;
	if (emul_linear(vp, s.seg, gpr_read(vp, s.gpr) & s.addr_mask, io->size_bytes, io->in,
			&s.linear) != ERR_NONE)
		return EXIT_RESUME;
	action = string_iteration(vp, io, &s);
	if (action != EXIT_NEXT)
		return action;

	step = io->size_bytes;
	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_DF)
		step = -step;
	reg_add(vp, s.gpr, s.addr_mask, step);
	if (!io->rep)
		return EXIT_NEXT;
	reg_add(vp, GPR_CX, s.addr_mask, ~0ull);
	return (gpr_read(vp, GPR_CX) & s.addr_mask) == 0 ? EXIT_NEXT : EXIT_ITERATION;
}

enum exit_action exit_io(struct vp *vp, const struct exit_info *x)
{
	struct io_access io = io_access_decode(x->qual);
	u64 keep = io.size_bytes == 4 ? 0 : ~bytes_mask(io.size_bytes);
	u32 val = (u32)vp->regs.rax;

	if (io.string)
		return exit_io_string(vp, &io);
	if (!io.in)
		val &= (u32)bytes_mask(io.size_bytes);
	pio_access(vp, io.port, io.size_bytes, !io.in, &val);
	if (io.in) /* EAX is zero-extended, AX and AL are merged */
		vp->regs.rax = (vp->regs.rax & keep) | val;
	return EXIT_NEXT;
}
