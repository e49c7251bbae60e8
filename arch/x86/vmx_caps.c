/* SPDX-License-Identifier: BSD-2-Clause */
/* Required VMX capabilities as rows: what, why, remedy. Pure. */
#include "arch/x86/vmx_caps.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define REMEDY_OLD_CPU "use a CPU from 2010 (Westmere) or later"
#define REMEDY_NESTED  "use such a CPU, or let the outer hypervisor expose it (-cpu host,+vmx)"

enum caps_reg {
	CAPS_BASIC,
	CAPS_MISC,
	CAPS_EPT_VPID,
	CAPS_PIN,
	CAPS_PROC,
	CAPS_PROC2,
	CAPS_EXIT,
	CAPS_ENTRY
};

struct vmx_requirement {
	enum caps_reg reg;
	u64 bit; /* control registers: a control bit that must be settable */
	const char *what;
	const char *why;
	const char *remedy;
};

/* clang-format off */
static const struct vmx_requirement requirements[] = {
	{ CAPS_BASIC,    VMX_BASIC_TRUE_CTLS, "true VMX controls",
	  "CR3 accesses must not exit", REMEDY_OLD_CPU },
	{ CAPS_BASIC,    VMX_BASIC_INS_OUTS_INFO, "instruction information for INS and OUTS",
	  "string I/O on a few ports is emulated", REMEDY_NESTED },
	{ CAPS_PIN,      PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt exiting",
	  "device interrupts go through the virtual APIC", REMEDY_NESTED },
	{ CAPS_PIN,      PIN_NMI_EXITING, "NMI exiting", "kicks are NMIs", REMEDY_NESTED },
	{ CAPS_PIN,      PIN_VIRTUAL_NMIS, "virtual NMIs",
	  "guest NMIs and kicks must not block each other", REMEDY_OLD_CPU },
	{ CAPS_PIN,      PIN_PREEMPTION_TIMER, "the VMX-preemption timer",
	  "every virtual timer is armed on it", REMEDY_NESTED },
	{ CAPS_PROC,     PROC_ACTIVATE_SECONDARY, "secondary processor-based controls",
	  "EPT lives there", REMEDY_OLD_CPU },
	{ CAPS_PROC,     PROC_USE_MSR_BITMAPS, "MSR bitmaps",
	  "the guest keeps its fast MSRs", REMEDY_NESTED },
	{ CAPS_PROC,     PROC_USE_IO_BITMAPS, "I/O bitmaps",
	  "all but a few ports are passed through", REMEDY_NESTED },
	{ CAPS_PROC,     PROC_HLT_EXITING, "HLT exiting", "idle is ours", REMEDY_NESTED },
	{ CAPS_PROC,     PROC_INTERRUPT_WINDOW_EXITING, "interrupt-window exiting",
	  "pending interrupts wait for it", REMEDY_NESTED },
	{ CAPS_PROC,     PROC_NMI_WINDOW_EXITING, "NMI-window exiting",
	  "pending NMIs wait for it", REMEDY_OLD_CPU },
	{ CAPS_PROC2,    PROC2_ENABLE_EPT, "EPT",
	  "guest memory is mapped by it", REMEDY_NESTED },
	{ CAPS_PROC2,    PROC2_UNRESTRICTED_GUEST, "unrestricted guest",
	  "guests start in real mode", REMEDY_OLD_CPU },
	{ CAPS_PROC2,    PROC2_ENABLE_VPID, "VPID",
	  "TLB entries survive an exit", REMEDY_NESTED },
	{ CAPS_PROC2,    PROC2_VIRTUALIZE_APIC_ACCESSES, "the APIC-access page",
	  "the xAPIC is emulated through it", REMEDY_NESTED },
	{ CAPS_EXIT,     EXIT_CTL_HOST_64, "64-bit host", "Kensho is 64-bit code", REMEDY_OLD_CPU },
	{ CAPS_EXIT,     EXIT_CTL_ACK_INTERRUPT, "acknowledge interrupt on exit",
	  "the vector is needed at the exit", REMEDY_NESTED },
	{ CAPS_EXIT,     EXIT_CTL_SAVE_EFER | EXIT_CTL_LOAD_EFER, "EFER switching",
	  "the guest owns its EFER", REMEDY_NESTED },
	{ CAPS_EXIT,     EXIT_CTL_SAVE_PAT | EXIT_CTL_LOAD_PAT, "PAT switching",
	  "the guest owns its PAT", REMEDY_NESTED },
	{ CAPS_ENTRY,    ENTRY_CTL_LOAD_EFER | ENTRY_CTL_LOAD_PAT | ENTRY_CTL_IA32E_GUEST,
	  "EFER, PAT and long-mode entry controls", "the guest owns them", REMEDY_NESTED },
	{ CAPS_MISC,     VMX_MISC_ACTIVITY_HLT, "the HLT activity state",
	  "an idle VP sleeps in it", REMEDY_NESTED },
	{ CAPS_MISC,     VMX_MISC_EXIT_SAVES_LMA, "saving of EFER.LMA on exit",
	  "unrestricted guests switch modes without exits", REMEDY_OLD_CPU },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_WALK_4, "4-level EPT", "the identity map has 4 levels",
	  REMEDY_NESTED },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_WB, "write-back EPT tables", "table walks must be cached",
	  REMEDY_NESTED },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_2M, "2-MiB EPT pages", "the map must fit the hypervisor region",
	  REMEDY_OLD_CPU },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_INVEPT | EPT_VPID_CAP_INVEPT_SINGLE, "single-context INVEPT",
	  "map changes must reach the TLB", REMEDY_NESTED },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_INVVPID | EPT_VPID_CAP_INVVPID_SINGLE,
	  "single-context INVVPID", "emulated CR writes flush by it", REMEDY_NESTED },
};
/* clang-format on */

/* True when every bit of @req is offered by its register. */
static bool caps_has(const struct vmx_caps *c, const struct vmx_requirement *req)
{
	switch (req->reg) {
	case CAPS_BASIC:
		return (c->basic & req->bit) == req->bit;
	case CAPS_MISC:
		return (c->misc & req->bit) == req->bit;
	case CAPS_EPT_VPID:
		return (c->ept_vpid & req->bit) == req->bit;
	case CAPS_PIN:
		return (FIELD_GET(VMX_CTLS_ALLOWED1, c->pin) & req->bit) == req->bit;
	case CAPS_PROC:
		return (FIELD_GET(VMX_CTLS_ALLOWED1, c->proc) & req->bit) == req->bit;
	case CAPS_PROC2:
		return (FIELD_GET(VMX_CTLS_ALLOWED1, c->proc2) & req->bit) == req->bit;
	case CAPS_EXIT:
		return (FIELD_GET(VMX_CTLS_ALLOWED1, c->exit) & req->bit) == req->bit;
	case CAPS_ENTRY:
		return (FIELD_GET(VMX_CTLS_ALLOWED1, c->entry) & req->bit) == req->bit;
	}
	return false;
}

err_t vmx_check_caps(const struct vmx_caps *c, char *why, size_t why_len)
{
	for (size_t i = 0; i < ARRAY_SIZE(requirements); i++) {
		const struct vmx_requirement *req = &requirements[i];

		if (!caps_has(c, req)) {
			fmt_print(why, why_len, "this CPU's VMX lacks %s (needed because %s): %s",
				  req->what, req->why, req->remedy);
			return ERR_NODEV;
		}
	}
	return ERR_NONE;
}

/*
 * Rule T1. HW-ERRATUM: "VMX-Preemption Timer Does Not Count Down at the Rate Specified" in Intel's
 * specification updates: AAK139 (i7-900), AAM126, AAN92, AAP115, AAT59, BA86, AAU65, AAV..., and
 * the Westmere family. Family 6 only.
 */
static const struct {
	u8 model, stepping;
} broken_timers[] = {
	{ 0x1a, 4 }, { 0x1a, 5 }, { 0x1e, 5 }, { 0x25, 2 }, { 0x25, 5 }, { 0x2c, 2 }, { 0x2e, 6 },
};

bool vmx_timer_is_broken(u32 family, u32 model, u32 stepping)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_timers); i++) {
		if (family == 6 && model == broken_timers[i].model &&
		    stepping == broken_timers[i].stepping)
			return true;
	}
	return false;
}

static bool is_locked_off(u64 feature_control)
{
	return (feature_control & FEATURE_CONTROL_LOCK) != 0 &&
	       (feature_control & FEATURE_CONTROL_VMX_OUTSIDE_SMX) == 0;
}

/* Unlocked means that the firmware left the choice to us. */
u64 vmx_feature_control(u64 val)
{
	if ((val & FEATURE_CONTROL_LOCK) != 0)
		return val;
	return val | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
}

const char *vmx_left_out(const struct vmx_cpu *cpu)
{
	if (!cpu->has_vmx)
		return "it has no VMX, unlike the boot CPU (enable it for all CPUs in the "
		       "firmware setup)";
	if (cpu->feature_control_faults)
		return "its IA32_FEATURE_CONTROL cannot be read";
	if (is_locked_off(cpu->feature_control))
		return "VMX is locked off in its IA32_FEATURE_CONTROL, unlike the boot CPU's "
		       "(update the firmware, or power-cycle)";
	if (vmx_timer_is_broken(cpu->family, cpu->model, cpu->stepping))
		return "its VMX-preemption timer runs at the wrong rate (erratum)";
	return NULL;
}

err_t vmx_check_cpu(const struct vmx_cpu *cpu, char *why, size_t why_len)
{
	const char *nested =
		cpu->has_hypervisor ? "; this machine is virtual: start it with VMX for guests "
				      "(QEMU/KVM on an Intel host: -enable-kvm -cpu host,+vmx, and "
				      "kvm_intel.nested=1)"
				    : "";

	if (memcmp(cpu->vendor, "GenuineIntel", 12) != 0) {
		fmt_print(
			why, why_len,
			"the CPU vendor is \"%s\": Kensho needs an Intel CPU with VMX (AMD SVM is "
			"not supported)%s",
			cpu->vendor, nested);
		return ERR_NODEV;
	}
	if (!cpu->has_vmx) {
		fmt_print(
			why, why_len,
			"the CPU has no VMX (CPUID.1:ECX.VMX is 0): enable \"Intel Virtualization "
			"Technology\" in the firmware setup, or use another machine%s",
			nested);
		return ERR_NODEV;
	}
	if (cpu->feature_control_faults) {
		fmt_print(why, why_len, "IA32_FEATURE_CONTROL cannot be read%s", nested);
		return ERR_NODEV;
	}
	if (is_locked_off(cpu->feature_control)) {
		fmt_print(why, why_len,
			  "VMX is locked off in IA32_FEATURE_CONTROL (0x%llx): enable \"Intel "
			  "Virtualization Technology\" in the firmware setup and power-cycle%s",
			  cpu->feature_control, nested);
		return ERR_NODEV;
	}
	if (vmx_timer_is_broken(cpu->family, cpu->model, cpu->stepping)) {
		fmt_print(
			why, why_len,
			"family %u model 0x%x stepping %u has a VMX-preemption timer that runs at "
			"the wrong rate (erratum): use another machine",
			cpu->family, cpu->model, cpu->stepping);
		return ERR_NODEV;
	}
	return ERR_NONE;
}

const char *vmx_caps_difference(const struct vmx_caps *c, const struct vmx_caps *boot)
{
#define REG(field, name)                                                                     \
	{                                                                                    \
		offsetof(struct vmx_caps, field), "its " name " differs from the boot CPU's" \
	}
	static const struct {
		size_t offset;
		const char *text;
	} regs[] = {
		REG(basic, "IA32_VMX_BASIC"),
		REG(misc, "IA32_VMX_MISC"),
		REG(ept_vpid, "IA32_VMX_EPT_VPID_CAP"),
		REG(pin, "IA32_VMX_TRUE_PINBASED_CTLS"),
		REG(proc, "IA32_VMX_TRUE_PROCBASED_CTLS"),
		REG(proc2, "IA32_VMX_PROCBASED_CTLS2"),
		REG(exit, "IA32_VMX_TRUE_EXIT_CTLS"),
		REG(entry, "IA32_VMX_TRUE_ENTRY_CTLS"),
		REG(cr0_fixed0, "IA32_VMX_CR0_FIXED0"),
		REG(cr0_fixed1, "IA32_VMX_CR0_FIXED1"),
		REG(cr4_fixed0, "IA32_VMX_CR4_FIXED0"),
		REG(cr4_fixed1, "IA32_VMX_CR4_FIXED1"),
	};
#undef REG
	static_assert(ARRAY_SIZE(regs) * sizeof(u64) == sizeof(struct vmx_caps), "all of them");

	for (u32 i = 0; i < ARRAY_SIZE(regs); i++) {
		if (memcmp((const u8 *)c + regs[i].offset, (const u8 *)boot + regs[i].offset,
			   sizeof(u64)) != 0)
			return regs[i].text;
	}
	return NULL;
}
