/* SPDX-License-Identifier: BSD-2-Clause */
/* What a CPU may have beyond the requirements, and whether this boot uses it: for the machine
 * report. Pure. */
#include "arch/x86/vmx_optional.h"

#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "core/lib/bits.h"

enum optional_reg { OF_PROC, OF_PROC2, OF_EPT_VPID };

/* clang-format off */
static const struct {
	enum optional_reg reg;
	u64 bit;
	const char *name, *purpose;
	bool always; /* OF_EPT_VPID: used wherever it is there */
} optionals[] = {
	{ OF_PROC, PROC_USE_TPR_SHADOW, "tpr-shadow", "the guest's TPR without exits", false },
	{ OF_PROC2, PROC2_APIC_REGISTER_VIRT, "apic-register-virt", "APIC reads without exits", false },
	{ OF_PROC2, PROC2_VIRTUAL_INTR_DELIVERY, "virtual-interrupt-delivery",
	  "interrupts and EOIs without exits (apicv=)", false },
	{ OF_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE, "virtual-x2apic",
	  "x2APIC registers without exits", false },
	{ OF_EPT_VPID, EPT_VPID_CAP_1G, "ept-1g", "fewer EPT tables and TLB misses", true },
	{ OF_PROC2, PROC2_ENABLE_RDTSCP, "rdtscp", "RDTSCP and RDPID in the guest", false },
	{ OF_PROC2, PROC2_ENABLE_INVPCID, "invpcid", "INVPCID in the guest", false },
	{ OF_PROC2, PROC2_ENABLE_XSAVES, "xsaves", "XSAVES in the guest", false },
	{ OF_PROC2, PROC2_ENABLE_USER_WAIT_PAUSE, "user-wait-pause", "UMWAIT and TPAUSE in the guest",
	  false },
	{ OF_PROC2, PROC2_ENCLS_EXITING, "encls-exiting", "SGX stays hidden", false },
	{ OF_PROC2, PROC2_PAUSE_LOOP_EXITING, "pause-loop-exiting", "not used yet", false },
	{ OF_PROC2, PROC2_VMCS_SHADOWING, "vmcs-shadowing", "not used yet (nested guests)", false },
	{ OF_PROC2, PROC2_ENABLE_PML, "pml", "not used yet", false },
	{ OF_PROC2, PROC2_MODE_BASED_EXECUTE, "mode-based-execute", "not used yet", false },
	{ OF_PROC2, PROC2_USE_TSC_SCALING, "tsc-scaling", "not used yet", false },
	{ OF_PROC2, PROC2_NOTIFICATION_EXITING, "notify-exiting", "not used yet", false },
	{ OF_EPT_VPID, EPT_VPID_CAP_EXECUTE_ONLY, "ept-execute-only", "not used yet", false },
	{ OF_EPT_VPID, EPT_VPID_CAP_AD, "ept-accessed-dirty", "not used: walks would write", false },
};
/* clang-format on */

bool vmx_optional(u32 i, const struct vmx_caps *c, const struct vmx_ctls *ctls,
		  struct vmx_optional *out)
{
	u64 offered = 0, in_use = 0;

	if (i >= ARRAY_SIZE(optionals))
		return false;
	switch (optionals[i].reg) {
	case OF_PROC:
		offered = FIELD_GET(VMX_CTLS_ALLOWED1, c->proc);
		in_use = ctls->proc;
		break;
	case OF_PROC2:
		offered = FIELD_GET(VMX_CTLS_ALLOWED1, c->proc2);
		in_use = ctls->proc2;
		break;
	case OF_EPT_VPID:
		offered = c->ept_vpid;
		in_use = optionals[i].always ? c->ept_vpid : 0;
		break;
	}
	*out = (struct vmx_optional){
		.name = optionals[i].name,
		.purpose = optionals[i].purpose,
		.present = (offered & optionals[i].bit) != 0,
		.used = (in_use & optionals[i].bit) != 0,
	};
	return true;
}
