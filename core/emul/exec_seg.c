/* SPDX-License-Identifier: BSD-2-Clause */
/* Segment registers from and to an emulated page: MOV, LTR, LLDT. VP's CPU, with its VMCS current.
 */
#include "core/emul/exec_internal.h"

#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "core/hw.h"

enum exit_action exec_mov_from_sreg(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, true, &op));
	operand_store(x->vp, x->mem, &op,
		      hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, x->in->reg)));
	return EXIT_NEXT_DECODED;
}

enum exit_action exec_mov_to_sreg(const struct exec *x)
{
	struct operand op;

	TRY_ACTION(resolve_main(x, false, &op));
	if (segment_load(x->vp, x->in->reg, (u16)operand_load(x->vp, x->mem, &op)) != ERR_NONE)
		return EXIT_RESUME;
	return x->in->reg == SEG_SS ? EXIT_NEXT_MOV_SS : EXIT_NEXT_DECODED;
}

/* LTR, LLDT. The CPU has checked mode and privilege; check again, as the code may have changed. */
enum exit_action exec_load_system(const struct exec *x)
{
	struct operand op;

	if (!segment_has_descriptors())
		return vp_fault(x->vp, EXC_UD);
	if (vp_cpl(x->vp) != 0)
		return vp_fault_gp0(x->vp);
	TRY_ACTION(resolve_main(x, false, &op));
	if (segment_load_system(x->vp, x->in->op == EMUL_LTR,
				(u16)operand_load(x->vp, x->mem, &op)) != ERR_NONE)
		return EXIT_RESUME;
	return EXIT_NEXT_DECODED;
}
