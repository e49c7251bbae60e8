/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCALL: decides which ABI owns the calls; its function is the exit's row, so that a call pays
 * nothing for the choice. Without an owner the instruction is #UD, as on a machine without a
 * hypervisor. Context: VP's CPU, root mode.
 */
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "hv/hv_internal.h"

static const struct hv_abi *abis[HV_ABIS_MAX + 1]; /* NULL-terminated */

static enum exit_action vmcall_of_nobody(struct vp *vp, const struct exit_info *x)
{
	COUNT(vp, VMCALL_UNKNOWN);
	return vp_fault(vp, EXC_UD);
}

void hv_choose_vmcall(const struct partition *p)
{
	struct exit_row row = { vmcall_of_nobody, 0, EXIT_CLASS_HANDLED, "vmcall" };

	for (const struct hv_abi *const *a = abis; *a != NULL && !(*a)->vmcall(p, &row.fn); a++)
		;
	exit_table_set(&exit_table_guest, EXIT_REASON_VMCALL, &row);
}

void vmcall_register(const struct partition *p, const struct hv_abi *const *live, u32 n)
{
	static const struct exit_module_row row = {
		EXIT_REASON_VMCALL,
		{ vmcall_of_nobody, 0, EXIT_CLASS_HANDLED, "vmcall" },
	};

	for (u32 i = 0; i < n; i++)
		abis[i] = live[i];
	abis[n] = NULL;
	exit_table_add(&exit_table_guest, &row);
	hv_choose_vmcall(p);
}
