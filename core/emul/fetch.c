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

/* The 15 bytes span two pages, with @have of them in the first. */
static err_t fetch_split(struct vp *vp, u64 linear, u32 access, gpa_t first, u32 have,
			 struct code *code)
{
	u8 *buf = (u8 *)code->raw;
	gpa_t second;

	TRY(gpa_read_any(vp->partition, first, buf, have));
	code->len = have;
	if (have >= FETCH_BYTES)
		return ERR_NONE;
	TRY(walk_gva(vp, linear + have, access, &second, &code->fault));
	TRY(gpa_read_any(vp->partition, second, buf + have, FETCH_BYTES - have));
	code->len = FETCH_BYTES;
	return ERR_NONE;
}

/* Fetch 15 bytes, or as many as can be read. */
static err_t fetch_bytes(struct vp *vp, u64 linear, struct code *code)
{
	u32 access = WALK_FETCH | walk_user(vp);
	u32 left;
	gpa_t at;

	TRY(walk_gva_path(vp, linear, access, &at, &code->fault, &code->path));
	left = (u32)(PAGE_SIZE - (at.v & (PAGE_SIZE - 1)));
	if (unlikely(left < sizeof(code->raw)))
		return fetch_split(vp, linear, access, at, left, code);
	TRY(gpa_fetch16(vp->partition, at, code->raw, &code->at));
	code->len = FETCH_BYTES;
	return ERR_NONE;
}

void fetch_code(struct vp *vp, enum emul_mode mode, struct code *code)
{
	u64 linear = hw_vmread(VMCS_GUEST_RIP);

	code->len = 0;
	code->at = NULL;
	code->fault = (struct walk_fault){ .page_fault = false };
	if (mode != EMUL_64)
		linear = (u32)(linear + hw_vmread(VMCS_GUEST_CS_BASE));
	code->again = fetch_bytes(vp, linear, code) == ERR_AGAIN;
}
