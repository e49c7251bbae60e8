/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VMCALL: only decides which ABI owns the call. SPEED(sole-owner): if a single ABI takes every call
 * its function is the exit's row. Without any, the instruction is #UD, as on a machine without a
 * hypervisor. Context: VP's CPU, root mode.
 */
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "hv/hv_internal.h"

static const struct hv_abi *abis[HV_ABIS_MAX + 1]; /* NULL-terminated */

static enum exit_action vmcall_ask(struct vp *vp, const struct exit_info *x)
{
	for (const struct hv_abi *const *a = abis; *a != NULL; a++) {
		if ((*a)->claims == NULL || (*a)->claims(vp))
			return (*a)->vmcall(vp, x);
	}
	COUNT(vp, VMCALL_UNKNOWN);
	return vp_fault(vp, EXC_UD);
}

void vmcall_register(const struct hv_abi *const *live, u32 n)
{
	bool is_sole = n == 1 && live[0]->claims == NULL;
	struct exit_module_row row = {
		EXIT_REASON_VMCALL,
		{ is_sole ? live[0]->vmcall : vmcall_ask, 0, EXIT_CLASS_HANDLED, "vmcall" },
	};

	for (u32 i = 0; i < n; i++)
		abis[i] = live[i];
	abis[n] = NULL;
	exit_table_add(&exit_table_guest, &row);
}
