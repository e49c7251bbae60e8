/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults of a task switch, and its accesses to guest memory. VP's CPU, with its VMCS current.
 *
 * Spec: SDM Vol. 3A, "Error Code"; SDM Vol. 3A, "Determination of Access Rights" (implicit
 * supervisor-mode accesses).
 *
 * Wait in place for memory that is not there yet: past the commit point there is no old task to
 * restart from.
 */
#include "core/task/task_internal.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/emul/emul.h"
#include "core/hw.h"
#include "core/lib/bytes.h"
#include "core/mem/gpa.h"
#include "core/mem/walk.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

err_t task_fault(const struct task_switching *t, u8 vector, u32 code)
{
	(void)vp_fault_code(t->vp, vector, (code & ~(u32)SEL_RPL) | t->ext);
	return ERR_FAULT;
}

/* Page tables outside memory read all-ones: that is a reserved-bit fault. */
static err_t page_fault(const struct task_switching *t, u32 access, const struct walk_fault *f)
{
	u32 code = PFEC_P | PFEC_RSVD;

	if (access & WALK_WRITE)
		code |= PFEC_W;
	if (access & WALK_USER)
		code |= PFEC_U;
	(void)vp_fault_page(t->vp, f->gva, f->page_fault ? f->code : code);
	return ERR_FAULT;
}

err_t task_check(const struct task_switching *t, u32 linear, u32 access, u32 len)
{
	struct walk_fault f;
	err_t err;

	access |= WALK_IMPLICIT_SUPERVISOR;
	do
		err = gva_check(t->vp, linear, access, len, &f);
	while (page_retry(t->vp, err));
	if (err != ERR_NONE)
		return page_fault(t, access, &f);
	return ERR_NONE;
}

err_t task_read(const struct task_switching *t, u32 linear, void *buf, u32 len)
{
	struct walk_fault f;
	err_t err;

	do
		err = gva_read(t->vp, linear, WALK_IMPLICIT_SUPERVISOR, buf, len, &f);
	while (page_retry(t->vp, err));
	if (err != ERR_NONE)
		return page_fault(t, WALK_READ, &f);
	return ERR_NONE;
}

err_t task_write(const struct task_switching *t, u32 linear, const void *buf, u32 len)
{
	struct walk_fault f;
	err_t err;

	do
		err = gva_write(t->vp, linear, WALK_IMPLICIT_SUPERVISOR, buf, len, &f);
	while (page_retry(t->vp, err));
	if (err != ERR_NONE)
		return page_fault(t, WALK_WRITE, &f);
	return ERR_NONE;
}

err_t task_set_type(const struct task_switching *t, u32 linear, u64 desc, u32 type)
{
	u32 access = WALK_WRITE | WALK_IMPLICIT_SUPERVISOR;
	u8 old = (u8)(desc >> 8 * DESC_TYPE_BYTE);
	struct walk_fault f;
	err_t err;
	gpa_t at;

	do
		err = walk_gva(t->vp, (u32)(linear + DESC_TYPE_BYTE), access, &at, &f);
	while (page_retry(t->vp, err));
	if (err != ERR_NONE)
		return page_fault(t, access, &f);
	do
		err = gpa_swap8(t->vp->partition, at, old, (u8)((old & 0xf0u) | type));
	while (page_retry(t->vp, err));
	/* ERR_FAULT: not memory. The CPU's write would be lost there, too. */
	return err == ERR_BUSY ? ERR_BUSY : ERR_NONE;
}

err_t task_push(const struct task_switching *t, u32 val)
{
	struct vp *vp = t->vp;
	u32 len = t->layout->width;
	u32 access = WALK_WRITE | (vp_cpl(vp) == 3 ? WALK_USER : 0);
	u64 esp = hw_vmread(VMCS_GUEST_RSP);
	u64 mask = (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? 0xffffffff : 0xffff;
	u64 sp = (esp - len) & mask, linear;
	struct walk_fault f;
	err_t err;

	if (emul_linear(vp, SEG_SS, sp, len, true, &linear) != ERR_NONE) {
		if ((vp->event.info & INTR_INFO_VECTOR) == EXC_SS) /* else it became #DF */
			vp->event.error |= t->ext;
		return ERR_FAULT;
	}
	do
		err = gva_write(vp, linear, access, &val, len, &f);
	while (page_retry(vp, err));
	if (err != ERR_NONE)
		return page_fault(t, access, &f);
	hw_vmwrite(VMCS_GUEST_RSP, (esp & ~mask) | sp);
	return ERR_NONE;
}
