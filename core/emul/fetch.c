/* SPDX-License-Identifier: BSD-2-Clause */
/* Instruction fetch through the guest's page tables. VP's CPU, with its VMCS current. */
#include "core/emul/emul_internal.h"

#include "arch/x86/defs/cr.h"
#include "core/hw.h"
#include "core/lib/string.h"
#include "core/vp/vp.h"

#define FETCH_BYTES 15u

enum emul_mode emul_cpu_mode(const struct vp *vp)
{
	u32 ar = (u32)hw_vmread(VMCS_GUEST_CS_AR);

	if ((ar & AR_L) && (hw_vmread(VMCS_GUEST_EFER) & EFER_LMA))
		return EMUL_64;
	return (ar & AR_DB) ? EMUL_32 : EMUL_16;
}

/* The instruction reaches into the next page: @have bytes lie in the first. */
static u32 fetch_split(struct vp *vp, u64 linear, u32 access, gpa_t first, u32 have,
		       struct code *code)
{
	u8 *buf = (u8 *)code->raw;
	gpa_t second;

	if (gpa_read_any(vp->partition, first, buf, have) != ERR_NONE)
		return 0;
	if (have >= FETCH_BYTES ||
	    walk_gva(vp, linear + have, access, &second, &code->fault) != ERR_NONE ||
	    gpa_read_any(vp->partition, second, buf + have, FETCH_BYTES - have) != ERR_NONE)
		return have;
	return FETCH_BYTES;
}

void fetch_code(struct vp *vp, enum emul_mode mode, struct code *code)
{
	u64 linear = hw_vmread(VMCS_GUEST_RIP);
	u32 access = WALK_FETCH | (vp_cpl(vp) == 3 ? WALK_USER : 0);
	u32 left;
	gpa_t at;

	code->len = 0;
	code->at = NULL;
	code->fault = (struct walk_fault){ .page_fault = false };
	if (mode != EMUL_64)
		linear = (u32)(linear + hw_vmread(VMCS_GUEST_CS_BASE));
	if (walk_gva_path(vp, linear, access, &at, &code->fault, &code->path) != ERR_NONE)
		return;
	left = (u32)(PAGE_SIZE - (at.v & (PAGE_SIZE - 1)));
	if (unlikely(left < sizeof(code->raw)))
		code->len = fetch_split(vp, linear, access, at, left, code);
	else if (gpa_fetch16(vp->partition, at, code->raw, &code->at) == ERR_NONE)
		code->len = FETCH_BYTES;
}
