/* SPDX-License-Identifier: BSD-2-Clause */
/* Optional features of a CPU, and whether this boot uses them: for the machine report. Pure. */
#include "arch/x86/vmx_optional.h"

#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "core/lib/bits.h"

/* Features in IA32_VMX_EPT_VPID_CAP are used always or never. */
enum optional_reg { OF_PIN, OF_PROC, OF_PROC2, OF_EPT_USED, OF_EPT_UNUSED };

/* clang-format off */
static const struct {
	enum optional_reg reg;
	u64 bit;
	const char *name, *purpose;
} optionals[] = {
	{ OF_PIN, PIN_PREEMPTION_TIMER, "preemption-timer", "ends a run of the guest at a deadline" },
	{ OF_PROC, PROC_USE_TPR_SHADOW, "tpr-shadow", "the guest's TPR without exits" },
	{ OF_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES, "apic-access-page",
	  "xAPIC accesses name their register" },
	{ OF_PROC2, PROC2_APIC_REGISTER_VIRT, "apic-register-virt", "APIC reads without exits" },
	{ OF_PROC2, PROC2_VIRTUAL_INTR_DELIVERY, "virtual-interrupt-delivery",
	  "interrupts and EOIs without exits (apicv=)" },
	{ OF_PROC2, PROC2_VIRTUALIZE_X2APIC_MODE, "virtual-x2apic",
	  "x2APIC registers without exits" },
	{ OF_EPT_USED, EPT_VPID_CAP_1G, "ept-1g", "fewer EPT tables and TLB misses" },
	{ OF_PROC2, PROC2_ENABLE_RDTSCP, "rdtscp", "RDTSCP and RDPID in the guest" },
	{ OF_PROC2, PROC2_ENABLE_INVPCID, "invpcid", "INVPCID in the guest" },
	{ OF_PROC2, PROC2_ENABLE_XSAVES, "xsaves", "XSAVES in the guest" },
	{ OF_PROC2, PROC2_ENABLE_USER_WAIT_PAUSE, "user-wait-pause", "UMWAIT and TPAUSE in the guest" },
	{ OF_PROC2, PROC2_ENCLS_EXITING, "encls-exiting", "SGX stays hidden" },
	{ OF_PROC2, PROC2_DESCRIPTOR_TABLE_EXITING, "descriptor-table-exiting",
	  "hv-npiep, while the guest asks for it" },
	{ OF_PROC2, PROC2_PAUSE_LOOP_EXITING, "pause-loop-exiting", "not used yet" },
	{ OF_PROC2, PROC2_VMCS_SHADOWING, "vmcs-shadowing", "not used yet (nested guests)" },
	{ OF_PROC2, PROC2_ENABLE_PML, "pml", "not used yet" },
	{ OF_PROC2, PROC2_MODE_BASED_EXECUTE, "mode-based-execute", "not used yet" },
	{ OF_PROC2, PROC2_USE_TSC_SCALING, "tsc-scaling", "not used yet" },
	{ OF_PROC2, PROC2_NOTIFICATION_EXITING, "notify-exiting", "not used yet" },
	{ OF_EPT_UNUSED, EPT_VPID_CAP_EXECUTE_ONLY, "ept-execute-only", "not used yet" },
	{ OF_EPT_UNUSED, EPT_VPID_CAP_AD, "ept-accessed-dirty", "not used: walks would write" },
};
/* clang-format on */

bool vmx_optional(u32 i, const struct vmx_caps *c, const struct vmx_ctls *ctls,
		  struct vmx_optional *out)
{
	u64 offered = 0, in_use = 0;

	if (i >= ARRAY_SIZE(optionals))
		return false;
	switch (optionals[i].reg) {
	case OF_PIN:
		offered = FIELD_GET(VMX_CTLS_ALLOWED1, c->pin);
		in_use = ctls->pin;
		break;
	case OF_PROC:
		offered = FIELD_GET(VMX_CTLS_ALLOWED1, c->proc);
		in_use = ctls->proc;
		break;
	case OF_PROC2:
		offered = FIELD_GET(VMX_CTLS_ALLOWED1, c->proc2);
		in_use = ctls->proc2;
		break;
	case OF_EPT_USED:
		offered = c->ept_vpid;
		in_use = c->ept_vpid;
		break;
	case OF_EPT_UNUSED:
		offered = c->ept_vpid;
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
