/* SPDX-License-Identifier: BSD-2-Clause */
/* Which VMX controls are on, and why. Pure. */
#include "arch/x86/vmx_ctls.h"

#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "core/lib/bits.h"

err_t vmx_adjust_ctls(u32 want, u32 must, u64 cap, u32 *out)
{
	u32 ctls = (want | must | (u32)cap) & (u32)(cap >> 32);

	if ((ctls & must) != must)
		return ERR_NODEV;
	*out = ctls;
	return ERR_NONE;
}

err_t vmx_ctls_init(const struct vmx_caps *caps, const struct vmx_guest_features *gf,
		    const struct vmx_apicv *apicv, bool use_vmx_timer, struct vmx_ctls *ctls)
{
	struct vmx_ctls c;
	u32 proc = PROC_USE_MSR_BITMAPS | PROC_USE_IO_BITMAPS | PROC_ACTIVATE_SECONDARY;
	u32 proc2 = PROC2_ENABLE_EPT | PROC2_ENABLE_VPID | PROC2_UNRESTRICTED_GUEST;
	/* RDPMC: no PMU yet. ENCLS and friends: hidden, so #UD. */
	u32 proc_want = PROC_RDPMC_EXITING;
	u32 proc2_want = PROC2_ENCLS_EXITING | PROC2_ENCLV_EXITING;

	/* Without a TPR shadow CR8 must exit: the physical TPR is not the guest's. */
	proc |= apicv->tpr_shadow ? PROC_USE_TPR_SHADOW
				  : PROC_CR8_LOAD_EXITING | PROC_CR8_STORE_EXITING;
	if (!gf->hlt_passthrough)
		proc |= PROC_HLT_EXITING;
	if (!gf->mwait)
		proc_want |= PROC_MWAIT_EXITING | PROC_MONITOR_EXITING;
	if (gf->rdtscp)
		proc2 |= PROC2_ENABLE_RDTSCP;
	if (gf->invpcid)
		proc2 |= PROC2_ENABLE_INVPCID;
	if (gf->xsaves)
		proc2 |= PROC2_ENABLE_XSAVES;
	if (gf->waitpkg)
		proc2 |= PROC2_ENABLE_USER_WAIT_PAUSE;

	TRY(vmx_adjust_ctls(0,
			    PIN_EXTERNAL_INTERRUPT_EXITING | PIN_NMI_EXITING | PIN_VIRTUAL_NMIS |
				    (use_vmx_timer ? PIN_PREEMPTION_TIMER : 0),
			    caps->pin, &c.pin));
	TRY(vmx_adjust_ctls(proc_want, proc, caps->proc, &c.proc));
	TRY(vmx_adjust_ctls(proc2_want, proc2, caps->proc2, &c.proc2));
	TRY(vmx_adjust_ctls(0,
			    EXIT_CTL_HOST_64 | EXIT_CTL_ACK_INTERRUPT | EXIT_CTL_SAVE_EFER |
				    EXIT_CTL_LOAD_EFER | EXIT_CTL_SAVE_PAT | EXIT_CTL_LOAD_PAT |
				    EXIT_CTL_SAVE_DEBUG,
			    caps->exit, &c.exit));
	TRY(vmx_adjust_ctls(0, ENTRY_CTL_LOAD_EFER | ENTRY_CTL_LOAD_PAT | ENTRY_CTL_LOAD_DEBUG,
			    caps->entry, &c.entry));
	*ctls = c;
	return ERR_NONE;
}

err_t vmx_apicv_decide(const struct vmx_caps *caps, enum apicv_option mode, bool vid_is_buggy,
		       struct vmx_apicv *out, const char **why)
{
	u32 proc = (u32)FIELD_GET(VMX_CTLS_ALLOWED1, caps->proc);
	u32 proc2 = (u32)FIELD_GET(VMX_CTLS_ALLOWED1, caps->proc2);
	struct vmx_apicv a = { .apic_accesses = (proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES) != 0 };

	if (mode == APICV_OFF) {
		*out = a;
		return ERR_NONE;
	}
	a.tpr_shadow = (proc & PROC_USE_TPR_SHADOW) != 0;
	/* Each of the others requires the TPR shadow (SDM "VM-Execution Control Fields"). */
	a.register_virt = a.tpr_shadow && (proc2 & PROC2_APIC_REGISTER_VIRT) && a.apic_accesses;
	a.virt_x2apic = a.tpr_shadow && (proc2 & PROC2_VIRTUALIZE_X2APIC_MODE);
	a.virt_intr_delivery = a.register_virt && (proc2 & PROC2_VIRTUAL_INTR_DELIVERY) &&
			       (mode == APICV_ON || !vid_is_buggy);
	if (mode == APICV_ON && !a.virt_intr_delivery) {
		/* Cause (cpu): no APICv: older than Ivy Bridge-EP, or hidden by an outer
		 * hypervisor.
		 * Remedy: `apicv=auto`, the default. */
		*why = "apicv=on needs virtual-interrupt delivery, which this CPU lacks; do this: "
		       "use apicv=auto";
		return ERR_NODEV;
	}
	*out = a;
	return ERR_NONE;
}
