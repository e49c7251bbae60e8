/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * I/O instructions that touch an owned port (rule P1). VP's CPU.
 *
 * Spec: SDM Vol. 3C, "Exit Qualification for I/O Instructions"; SDM Vol. 2, INS, OUTS.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/reg.h"
#include "core/emul/emul.h"
#include "core/emul/system.h"
#include "core/exit/exit.h"
#include "core/hw.h"
#include "core/mem/walk.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

/* String I/O: operands of one iteration. */
struct string_io {
	u32 seg;
	u32 gpr; /* SI or DI */
	u32 addr_bytes;
	u64 linear;
};

static u64 addr_reg(const struct vp *vp, u32 gpr, const struct string_io *s)
{
	return gpr_read(vp, gpr) & size_mask(s->addr_bytes);
}

static void addr_reg_add(struct vp *vp, u32 gpr, const struct string_io *s, u64 delta)
{
	gpr_merge(vp, gpr, s->addr_bytes, gpr_read(vp, gpr) + delta);
}

/* ERR_AGAIN: the port has not been touched yet. */
static enum exit_action memory_failed(struct vp *vp, err_t err, u32 access,
				      const struct walk_fault *f)
{
	if (err == ERR_AGAIN)
		return EXIT_RETRY;
	(void)system_page_fault(vp, access, f);
	return EXIT_RESUME;
}

/* Check the memory operand before touching the port: reading a port has side effects. */
static enum exit_action string_iteration(struct vp *vp, const struct io_access *io,
					 const struct string_io *s)
{
	u32 access = walk_user(vp) | (io->in ? WALK_WRITE : WALK_READ);
	struct walk_fault f = { .page_fault = false };
	u32 val = 0;
	err_t err;

	if (!io->in)
		err = gva_read(vp, s->linear, access, &val, io->size_bytes, &f);
	else
		err = gva_check(vp, s->linear, access, io->size_bytes, &f);
	if (err != ERR_NONE)
		return memory_failed(vp, err, access, &f);
	pio_access(vp, io->port, io->size_bytes, !io->in, &val);
	if (!io->in)
		return EXIT_NEXT;
	/* Wait in place: never read the port twice. */
	err = gva_write_waiting(vp, s->linear, access, &val, io->size_bytes, &f);
	return err == ERR_NONE ? EXIT_NEXT : memory_failed(vp, err, access, &f);
}

/* One iteration per exit: RIP stays until the count is 0. */
static enum exit_action exit_io_string(struct vp *vp, const struct io_access *io)
{
	/* vmx_caps.c requires it of the CPU. */
	u32 info = (u32)hw_vmread(VMCS_VMX_INSTRUCTION_INFO);
	struct string_io s = {
		.seg = io->in ? SEG_ES : (u32)FIELD_GET(INSTR_INFO_SEGMENT, info),
		.gpr = io->in ? GPR_DI : GPR_SI,
		.addr_bytes = 2u << FIELD_GET(INSTR_INFO_ADDRESS_SIZE, info),
	};
	enum exit_action action;
	u64 step;

	if (s.addr_bytes > 8)
		return EXIT_STOP;
	if (io->rep && addr_reg(vp, GPR_CX, &s) == 0)
		return EXIT_NEXT;
	if (emul_linear(vp, s.seg, addr_reg(vp, s.gpr, &s), io->size_bytes, io->in, &s.linear) !=
	    ERR_NONE)
		return EXIT_RESUME;
	action = string_iteration(vp, io, &s);
	if (action != EXIT_NEXT)
		return action;

	step = io->size_bytes;
	if (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_DF)
		step = -step;
	addr_reg_add(vp, s.gpr, &s, step);
	if (!io->rep)
		return EXIT_NEXT;
	addr_reg_add(vp, GPR_CX, &s, ~0ull);
	return addr_reg(vp, GPR_CX, &s) == 0 ? EXIT_NEXT : EXIT_ITERATION;
}

enum exit_action exit_io(struct vp *vp, const struct exit_info *x)
{
	struct io_access io = io_access_decode(x->qual);
	u32 val = (u32)vp->regs.rax;

	if (io.string)
		return exit_io_string(vp, &io);
	if (!io.in)
		val &= (u32)size_mask(io.size_bytes);
	pio_access(vp, io.port, io.size_bytes, !io.in, &val);
	if (io.in)
		gpr_merge(vp, GPR_AX, io.size_bytes, val);
	return EXIT_NEXT;
}
