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
		return system_page_fault(vp, access, &f);
	hw_vmwrite(VMCS_GUEST_RSP, (esp & ~mask) | sp);
	return ERR_NONE;
}
