/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine report: the CPU against the requirements, and the features we use. Boot CPU. */
#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/insn.h"
#include "arch/x86/vmx_optional.h"
#include "boot/report.h"
#include "core/lib/string.h"

#define LEAF_BRAND      0x80000002u
#define LEAF_BRAND_LAST 0x80000004u

static void add(const char *key, bool yes)
{
	report_field(&boot_report, key, "%s", yes ? "yes" : "no");
}

/* SDM "Microcode Update Facilities": write 0, then CPUID leaf 1 loads the revision. CPUs of
 * other vendors have it in the low half. */
static u64 microcode_revision(void)
{
	u64 val = 0;

	if (wrmsr_safe(MSR_IA32_BIOS_SIGN_ID, 0) != ERR_NONE)
		return 0;
	(void)cpuid(1, 0);
	if (rdmsr_safe(MSR_IA32_BIOS_SIGN_ID, &val) != ERR_NONE)
		return 0;
	return FIELD_GET(BIOS_SIGN_ID_REVISION, val) != 0 ? FIELD_GET(BIOS_SIGN_ID_REVISION, val)
							  : val;
}

static void brand_string(char out[49])
{
	out[0] = '\0';
	if (cpuid(0x80000000, 0).a < LEAF_BRAND_LAST)
		return;
	for (u32 i = 0; i < 3; i++) {
		struct cpuid_regs r = cpuid(LEAF_BRAND + i, 0);

		memcpy(out + 16 * i, &r, 16);
	}
	out[48] = '\0';
}

static void report_identity(const struct vmx_cpu *cpu)
{
	char brand[49];

	brand_string(brand);
	report_line(&boot_report, "cpu");
	report_field(&boot_report, "vendor", "%s", cpu->vendor);
	report_field(&boot_report, "family", "%u", cpu->family);
	report_field(&boot_report, "model", "0x%x", cpu->model);
	report_field(&boot_report, "stepping", "%u", cpu->stepping);
	report_field(&boot_report, "microcode", "0x%llx", microcode_revision());
	add("virtual", cpu->has_hypervisor);
	report_field(&boot_report, "name", "%s", brand);
}

static void report_requirements(const struct boot_vmx *vmx)
{
	static const char *const state[] = {
		[VMX_REQUIREMENT_MET] = "ok",
		[VMX_REQUIREMENT_MISSING] = "missing",
		[VMX_REQUIREMENT_UNKNOWN] = "unknown",
	};
	struct vmx_requirement r;
	u32 missing = 0;

	for (u32 i = 0; vmx_requirement(i, &vmx->cpu, vmx->has_caps ? &vmx->caps : NULL, &r); i++) {
		report_line(&boot_report, "require");
		report_field(&boot_report, r.name, "%s", state[r.state]);
		report_field(&boot_report, "what", "%s", r.what);
		report_field(&boot_report, "because", "%s", r.why);
		if (r.state != VMX_REQUIREMENT_MET)
			report_field(&boot_report, "remedy", "%s", r.remedy);
		/* boot_refuse() has named the first. */
		if (r.state == VMX_REQUIREMENT_MISSING && missing++ != 0)
			report_refuse(&boot_report, r.what);
	}
}

static void report_registers(const struct boot_vmx *vmx)
{
	report_line(&boot_report, "vmx");
	add("readable", vmx->has_caps);
	report_field(&boot_report, "feature_control", "0x%llx", vmx->cpu.feature_control);
	if (!vmx->has_caps)
		return;
	report_field(&boot_report, "basic", "0x%llx", vmx->caps.basic);
	report_field(&boot_report, "misc", "0x%llx", vmx->caps.misc);
	report_field(&boot_report, "pin", "0x%llx", vmx->caps.pin);
	report_field(&boot_report, "proc", "0x%llx", vmx->caps.proc);
	report_field(&boot_report, "proc2", "0x%llx", vmx->caps.proc2);
	report_field(&boot_report, "exit", "0x%llx", vmx->caps.exit);
	report_field(&boot_report, "entry", "0x%llx", vmx->caps.entry);
	report_field(&boot_report, "ept_vpid", "0x%llx", vmx->caps.ept_vpid);
}

void report_cpu(const struct boot_state *b, const struct boot_vmx *vmx)
{
	if (!report_is_open(&boot_report))
		return;
	report_identity(&vmx->cpu);
	report_registers(vmx);
	report_requirements(vmx);
	report_break(&boot_report);
}

static void report_timer(const struct boot_vmx *vmx)
{
	report_line(&boot_report, "timer");
	report_field(&boot_report, "source", "%s", run_timer_name(vmx->timer));
	report_field(&boot_report, "what", "%s", run_timer_what(vmx->timer));
	report_field(&boot_report, "because", "%s", vmx->timer_why);
}

/* Controls that are on or off by the mode of a VP's APIC. */
static u32 by_mode(const struct vmx_apicv *a)
{
	return (a->apic_accesses ? PROC2_VIRTUALIZE_APIC_ACCESSES : 0) |
	       (a->register_virt ? PROC2_APIC_REGISTER_VIRT : 0) |
	       (a->virt_intr_delivery ? PROC2_VIRTUAL_INTR_DELIVERY : 0) |
	       (a->virt_x2apic ? PROC2_VIRTUALIZE_X2APIC_MODE : 0);
}

void report_decisions(const struct boot_vmx *vmx)
{
	const struct vp_ctls *c = &vmx->ctls;
	const struct vmx_ctls ctls = { c->pin, c->proc, c->proc2 | by_mode(&vmx->apicv), c->exit,
				       c->entry };
	struct mitigation_gap gap;
	struct vmx_optional o;
	char text[80];

	for (u32 i = 0; vmx_optional(i, &vmx->caps, &ctls, &o); i++) {
		report_line(&boot_report, "optional");
		report_field(&boot_report, o.name, "%s",
			     o.used      ? "used"
			     : o.present ? "present"
					 : "absent");
		report_field(&boot_report, "for", "%s", o.purpose);
	}
	if (vmx->is_usable)
		report_timer(vmx);
	mitigation_describe(vmx->mitigations, text, sizeof(text));
	report_line(&boot_report, "mitigations");
	report_field(&boot_report, "sequences", "%s", text);
	add("arch_capabilities_present", vmx->cpu_bugs.arch_capabilities_present);
	report_field(&boot_report, "arch_capabilities", "0x%llx", vmx->cpu_bugs.arch_capabilities);
	add("md_clear", vmx->cpu_bugs.md_clear);
	add("rtm", vmx->cpu_bugs.rtm);
	add("update_microcode", (vmx->mitigations & MITIGATION_L1TF) != 0);
	for (u32 i = 0; mitigation_gap(i, &vmx->cpu_bugs, &gap); i++) {
		report_line(&boot_report, "mitigation-gap");
		report_field(&boot_report, gap.name, "%s", gap.is_open ? "open" : "closed");
		if (gap.is_open)
			report_field(&boot_report, "because", "%s", gap.why);
	}
}
