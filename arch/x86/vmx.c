/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX capabilities of this CPU and VMXON. Boot, each CPU. */
#include "arch/x86/vmx.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"
#include "arch/x86/vmx_insn.h"
#include "core/hw.h"
#include "core/lib/string.h"

void vmx_read_cpu(struct vmx_cpu *cpu)
{
	struct cpuid_regs v = cpuid(0, 0), f = cpuid(1, 0);

	*cpu = (struct vmx_cpu){
		.has_vmx = (f.c & CPUID1_ECX_VMX) != 0,
		.has_hypervisor = (f.c & CPUID1_ECX_HYPERVISOR) != 0,
		.has_tsc_deadline = (f.c & CPUID1_ECX_TSC_DEADLINE) != 0,
		.family = cpuid_family(f.a),
		.model = cpuid_model(f.a),
		.stepping = (u32)FIELD_GET(CPUID1_EAX_STEPPING, f.a),
	};
	memcpy(cpu->vendor, &v.b, 4);
	memcpy(cpu->vendor + 4, &v.d, 4);
	memcpy(cpu->vendor + 8, &v.c, 4);
	if (cpu->has_vmx)
		cpu->feature_control_faults =
			rdmsr_safe(MSR_IA32_FEATURE_CONTROL, &cpu->feature_control) != ERR_NONE;
}

void vmx_read_caps(struct vmx_caps *c)
{
	bool true_ctls;

	*c = (struct vmx_caps){
		.basic = rdmsr(MSR_IA32_VMX_BASIC),
		.misc = rdmsr(MSR_IA32_VMX_MISC),
		.cr0_fixed0 = rdmsr(MSR_IA32_VMX_CR0_FIXED0),
		.cr0_fixed1 = rdmsr(MSR_IA32_VMX_CR0_FIXED1),
		.cr4_fixed0 = rdmsr(MSR_IA32_VMX_CR4_FIXED0),
		.cr4_fixed1 = rdmsr(MSR_IA32_VMX_CR4_FIXED1),
	};
	true_ctls = (c->basic & VMX_BASIC_TRUE_CTLS) != 0;
	c->pin = rdmsr(true_ctls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
	c->proc = rdmsr(true_ctls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS);
	c->exit = rdmsr(true_ctls ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
	c->entry = rdmsr(true_ctls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);
	if (FIELD_GET(VMX_CTLS_ALLOWED1, c->proc) & PROC_ACTIVATE_SECONDARY)
		c->proc2 = rdmsr(MSR_IA32_VMX_PROCBASED_CTLS2);
	if (FIELD_GET(VMX_CTLS_ALLOWED1, c->proc2) & (PROC2_ENABLE_EPT | PROC2_ENABLE_VPID))
		c->ept_vpid = rdmsr(MSR_IA32_VMX_EPT_VPID_CAP);
}

err_t vmx_probe(struct vmx_cpu *cpu, struct vmx_caps *caps, bool *has_caps, char *why,
		size_t why_len)
{
	vmx_read_cpu(cpu);
	*has_caps = cpu->has_vmx && memcmp(cpu->vendor, "GenuineIntel", 12) == 0;
	if (*has_caps)
		vmx_read_caps(caps);
	TRY(vmx_check_cpu(cpu, why, why_len));
	return vmx_check_caps(caps, cpu->has_hypervisor, why, why_len);
}

const char *vmx_on(const struct vmx_cpu *cpu, const struct vmx_caps *caps, void *region)
{
	u64 feature_control = vmx_feature_control(cpu->feature_control);

	/* Cause (left-out): the firmware enabled VMX on some processors only.
	 * Remedy: [see above](#vmx-is-missing-or-locked-off); power-cycle; update the firmware. */
	if (feature_control != cpu->feature_control &&
	    wrmsr_safe(MSR_IA32_FEATURE_CONTROL, feature_control) != ERR_NONE)
		return "its IA32_FEATURE_CONTROL is unlocked and cannot be written (enable VMX in "
		       "the firmware setup)";
	write_cr0((read_cr0() | caps->cr0_fixed0) & caps->cr0_fixed1);
	write_cr4((read_cr4() | caps->cr4_fixed0 | CR4_VMXE) & caps->cr4_fixed1);
	*(u32 *)region = (u32)(caps->basic & VMX_BASIC_REVISION);
	/* Cause (cpu): another hypervisor owns VMX: the firmware's own, or one outside.
	 * Remedy: "virtualization-based security", "BIOS Guard", "trusted execution" off in the
	 * firmware set-up; check the outer hypervisor. */
	if (!vmxon_safe(hw_virt_to_phys(region).v))
		return "VMXON fails although every requirement is met (the firmware or the outer "
		       "hypervisor keeps VMX for itself)";
	return NULL;
}
