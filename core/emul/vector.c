/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's vector registers, for emulated moves. They are live in the CPU, as the hypervisor
 * uses none. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 2A, "Exception Conditions" of legacy SSE and VEX instructions.
 */
#include "core/emul/operand_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/hw.h"
#include "core/vp/vp.h"

#define XCR0_VEX (XCR0_SSE | XCR0_AVX)

static bool is_vex(const struct insn *in)
{
	return in->regsize == 32;
}

err_t vec_fault(struct vp *vp, const struct insn *in)
{
	u64 cr0 = hw_vmread(VMCS_GUEST_CR0);
	u64 cr4 = hw_vmread(VMCS_GUEST_CR4);
	bool on;

	if (is_vex(in))
		on = (cr0 & CR0_PE) && !(hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_VM) &&
		     (cr4 & CR4_OSXSAVE) && (vp->xcr0 & XCR0_VEX) == XCR0_VEX;
	else
		on = !(cr0 & CR0_EM) && (cr4 & CR4_OSFXSR);
	if (on && !(cr0 & CR0_TS))
		return ERR_NONE;
	(void)vp_fault(vp, on ? EXC_NM : EXC_UD);
	return ERR_FAULT;
}

void vec_get(const struct insn *in, u64 buf[4])
{
	hw_vector_read(in->reg, is_vex(in), buf);
	if (in->half == VEC_HIGH)
		buf[0] = buf[1];
}

void vec_set(const struct insn *in, const u64 buf[4])
{
	u64 val[4] = { 0 };

	if (in->half == VEC_WHOLE) {
		hw_vector_write(in->reg, is_vex(in), buf);
		return;
	}
	hw_vector_read(in->vec_src, false, val);
	val[in->half == VEC_HIGH] = buf[0];
	hw_vector_write(in->reg, is_vex(in), val);
}
