/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCALL: decides which ABI owns the call, nothing else. KVM is the only one yet. Without any, the
 * instruction is #UD, as on a machine without a hypervisor.
 * Context: VP's CPU, root mode.
 */
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "hv/hv.h"
#include "hv/kvm/kvm.h"

static enum exit_action exit_vmcall(struct vp *vp, const struct exit_info *x)
{
	if (unlikely(!config_has(&vp->partition->config, CPU_KVM))) {
		COUNT(vp, VMCALL_UNKNOWN);
		return vp_fault(vp, EXC_UD);
	}
	return kvm_vmcall(vp);
}

const struct exit_module_row hv_exit_rows[] = {
	{ EXIT_REASON_VMCALL, { exit_vmcall, 0, EXIT_CLASS_HANDLED, "vmcall" } },
};

const u32 hv_exit_row_count = ARRAY_SIZE(hv_exit_rows);
