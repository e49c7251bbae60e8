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

err_t task_push(const struct task_switching *t, u32 val)
{
	struct vp *vp = t->user.vp;
	u32 len = t->layout->width;
	u32 access = WALK_WRITE | walk_user(vp);
	u64 esp = hw_vmread(VMCS_GUEST_RSP);
	u64 mask = (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? 0xffffffff : 0xffff;
	u64 sp = (esp - len) & mask, linear;
	struct walk_fault f;

	if (emul_linear(vp, SEG_SS, sp, len, true, &linear) != ERR_NONE) {
		if ((vp->event.info & INTR_INFO_VECTOR) == EXC_SS) /* else it became #DF */
			vp->event.error |= t->user.ext;
		return ERR_FAULT;
	}
	if (gva_write_waiting(vp, linear, access, &val, len, &f) != ERR_NONE)
		return system_page_fault(vp, access, &f);
	hw_vmwrite(VMCS_GUEST_RSP, (esp & ~mask) | sp);
	return ERR_NONE;
}
