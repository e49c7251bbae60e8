/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest's vector registers, for emulated moves. They are live in the CPU, as the hypervisor
 * uses none. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 2A, "Exception Conditions" of legacy SSE and VEX instructions; SDM Vol. 3A, "MMX
 * Technology System Programming".
 */
#include "core/emul/operand_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "core/hw.h"
#include "core/vp/vp.h"

#define XCR0_VEX (XCR0_SSE | XCR0_AVX)

static enum hw_vector kind_of(const struct insn *in)
{
	if (in->regsize == 8)
		return HW_MMX;
	return in->regsize == 32 ? HW_YMM : HW_XMM;
}

err_t vec_fault(struct vp *vp, const struct insn *in)
{
	u64 cr0 = hw_vmread(VMCS_GUEST_CR0);
	u64 cr4 = hw_vmread(VMCS_GUEST_CR4);
	bool on;

	if (kind_of(in) == HW_YMM)
		on = segment_has_descriptors() && (cr4 & CR4_OSXSAVE) &&
		     (vp->xcr0 & XCR0_VEX) == XCR0_VEX;
	else
		on = !(cr0 & CR0_EM) && (kind_of(in) == HW_MMX || (cr4 & CR4_OSFXSR));
	if (on && !(cr0 & CR0_TS))
		return ERR_NONE;
	(void)vp_fault(vp, on ? EXC_NM : EXC_UD);
	return ERR_FAULT;
}

/* The CPU raises it before the access, too: this is only for code that has changed meanwhile. */
static err_t pending(struct vp *vp, err_t err)
{
	if (err == ERR_NONE)
		return ERR_NONE;
	(void)vp_fault(vp, EXC_MF);
	return ERR_FAULT;
}

err_t vec_get(struct vp *vp, const struct insn *in, u64 buf[4])
{
	TRY(pending(vp, hw_vector_read(kind_of(in), in->reg, buf)));
	if (in->half == VEC_HIGH)
		buf[0] = buf[1];
	return ERR_NONE;
}

err_t vec_set(struct vp *vp, const struct insn *in, const u64 buf[4])
{
	u64 val[4] = { 0 };

	if (in->half == VEC_WHOLE)
		return pending(vp, hw_vector_write(kind_of(in), in->reg, buf));
	TRY(pending(vp, hw_vector_read(HW_XMM, in->vec_src, val)));
	val[in->half == VEC_HIGH] = buf[0];
	return pending(vp, hw_vector_write(kind_of(in), in->reg, val));
}
