/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Kensho requires of a CPU, as rows: what, why, remedy. Refusing the boot CPU, refusing
 * another CPU and the machine report all use these rows. Pure.
 */
#include "arch/x86/vmx_caps.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "arch/x86/defs/vmx_msr.h"
#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define REMEDY_OLD_CPU "use a CPU from 2010 (Westmere) or later"

#define REMEDY_SETUP \
	"enable \"Intel Virtualization Technology\" in the firmware setup and power-cycle"

static const char remedy_nested[] =
	"use such a CPU, or let the outer hypervisor expose it (-cpu host,+vmx)";

enum caps_reg {
	CPU_VENDOR, /* up to CAPS_BASIC: struct vmx_cpu, checked before any VMX register is read */
	CPU_VMX,
	CPU_FEATURE_CONTROL,
	CPU_LOCK,
	CAPS_BASIC,
	CAPS_MISC,
	CAPS_EPT_VPID,
	CAPS_PIN,
	CAPS_PROC,
	CAPS_PROC2,
	CAPS_EXIT,
	CAPS_ENTRY
};

struct requirement {
	enum caps_reg reg;
	u64 bit; /* control registers: a control bit that must be settable */
	const char *name, *what, *why, *remedy;
};

/* clang-format off */
static const struct requirement requirements[] = {
	{ CPU_VENDOR, 0, "vendor", "an Intel CPU", "only VMX is supported, AMD SVM is not",
	  "use an Intel machine" },
	{ CPU_VMX, 0, "vmx", "VMX (CPUID.1:ECX.VMX)", "guests run in VMX non-root operation",
	  "enable \"Intel Virtualization Technology\" in the firmware setup, or use another machine" },
	{ CPU_FEATURE_CONTROL, 0, "feature-control", "a readable IA32_FEATURE_CONTROL",
	  "it says whether VMX may be used", "update the firmware or the outer hypervisor" },
	{ CPU_LOCK, 0, "vmx-not-locked-off", "VMX allowed in IA32_FEATURE_CONTROL",
	  "VMXON faults while the firmware has it locked off", REMEDY_SETUP },
	{ CAPS_BASIC,    VMX_BASIC_TRUE_CTLS, "true-controls", "true VMX controls",
	  "CR3 accesses must not exit", REMEDY_OLD_CPU },
	{ CAPS_BASIC,    VMX_BASIC_INS_OUTS_INFO, "ins-outs-info", "instruction information for INS and OUTS",
	  "string I/O on a few ports is emulated", remedy_nested },
	{ CAPS_PIN,      PIN_EXTERNAL_INTERRUPT_EXITING, "external-interrupt-exiting", "external-interrupt exiting",
	  "device interrupts go through the virtual APIC", remedy_nested },
	{ CAPS_PIN,      PIN_NMI_EXITING, "nmi-exiting", "NMI exiting", "kicks are NMIs", remedy_nested },
	{ CAPS_PIN,      PIN_VIRTUAL_NMIS, "virtual-nmis", "virtual NMIs",
	  "guest NMIs and kicks must not block each other", REMEDY_OLD_CPU },
	{ CAPS_PROC,     PROC_ACTIVATE_SECONDARY, "secondary-controls", "secondary processor-based controls",
	  "EPT lives there", REMEDY_OLD_CPU },
	{ CAPS_PROC,     PROC_USE_MSR_BITMAPS, "msr-bitmaps", "MSR bitmaps",
	  "the guest keeps its fast MSRs", remedy_nested },
	{ CAPS_PROC,     PROC_USE_IO_BITMAPS, "io-bitmaps", "I/O bitmaps",
	  "all but a few ports are passed through", remedy_nested },
	{ CAPS_PROC,     PROC_HLT_EXITING, "hlt-exiting", "HLT exiting", "idle is ours", remedy_nested },
	{ CAPS_PROC,     PROC_INTERRUPT_WINDOW_EXITING, "interrupt-window", "interrupt-window exiting",
	  "pending interrupts wait for it", remedy_nested },
	{ CAPS_PROC,     PROC_NMI_WINDOW_EXITING, "nmi-window", "NMI-window exiting",
	  "pending NMIs wait for it", REMEDY_OLD_CPU },
	{ CAPS_PROC,     PROC_USE_TSC_OFFSETTING, "tsc-offsetting", "TSC offsetting",
	  "a VP may write its TSC", remedy_nested },
	{ CAPS_PROC2,    PROC2_ENABLE_EPT, "ept", "EPT",
	  "guest memory is mapped by it", remedy_nested },
	{ CAPS_PROC2,    PROC2_UNRESTRICTED_GUEST, "unrestricted-guest", "unrestricted guest",
	  "guests start in real mode", REMEDY_OLD_CPU },
	{ CAPS_PROC2,    PROC2_ENABLE_VPID, "vpid", "VPID",
	  "TLB entries survive an exit", remedy_nested },
	{ CAPS_EXIT,     EXIT_CTL_HOST_64, "host-64", "64-bit host", "Kensho is 64-bit code", REMEDY_OLD_CPU },
	{ CAPS_EXIT,     EXIT_CTL_ACK_INTERRUPT, "ack-interrupt", "acknowledge interrupt on exit",
	  "the vector is needed at the exit", remedy_nested },
	{ CAPS_EXIT,     EXIT_CTL_SAVE_EFER | EXIT_CTL_LOAD_EFER, "efer-switching", "EFER switching",
	  "the guest owns its EFER", remedy_nested },
	{ CAPS_EXIT,     EXIT_CTL_SAVE_PAT | EXIT_CTL_LOAD_PAT, "pat-switching", "PAT switching",
	  "the guest owns its PAT", remedy_nested },
	{ CAPS_ENTRY,    ENTRY_CTL_LOAD_EFER | ENTRY_CTL_LOAD_PAT | ENTRY_CTL_IA32E_GUEST,
	  "entry-controls", "EFER, PAT and long-mode entry controls", "the guest owns them", remedy_nested },
	{ CAPS_MISC,     VMX_MISC_ACTIVITY_HLT, "activity-hlt", "the HLT activity state",
	  "an idle VP sleeps in it", remedy_nested },
	{ CAPS_MISC,     VMX_MISC_EXIT_SAVES_LMA, "exit-saves-lma", "saving of EFER.LMA on exit",
	  "unrestricted guests switch modes without exits", REMEDY_OLD_CPU },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_WALK_4, "ept-4-level", "4-level EPT", "the identity map has 4 levels",
	  remedy_nested },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_WB, "ept-wb", "write-back EPT tables", "table walks must be cached",
	  remedy_nested },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_2M, "ept-2m", "2-MiB EPT pages", "the map must fit the hypervisor region",
	  REMEDY_OLD_CPU },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_INVEPT | EPT_VPID_CAP_INVEPT_SINGLE, "invept", "single-context INVEPT",
	  "map changes must reach the TLB", remedy_nested },
	{ CAPS_EPT_VPID, EPT_VPID_CAP_INVVPID | EPT_VPID_CAP_INVVPID_SINGLE,
	  "invvpid", "single-context INVVPID", "emulated CR writes flush by it", remedy_nested },
};
/* clang-format on */

/*
 * Rule T1. HW-ERRATUM: "VMX-Preemption Timer Does Not Count Down at the Rate Specified" in Intel's
 * specification updates: AAK139 (i7-900), AAM126, AAN92, AAP115, AAT59, BA86, AAU65, AAV..., and
 * the Westmere family; and what KVM avoids without a number (the last row). Family 6 only.
 */
static const struct {
	u8 model, stepping;
} broken_timers[] = {
	{ 0x1a, 0 }, { 0x1a, 1 }, { 0x1a, 4 }, { 0x1a, 5 }, { 0x1e, 5 },
	{ 0x25, 2 }, { 0x25, 5 }, { 0x2c, 2 }, { 0x2e, 6 }, { 0x3a, 8 },
};

bool vmx_timer_is_broken(const struct vmx_cpu *cpu)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken_timers); i++) {
		if (cpu->family == 6 && cpu->model == broken_timers[i].model &&
		    cpu->stepping == broken_timers[i].stepping)
			return true;
	}
	return false;
}

static bool is_locked_off(u64 feature_control)
{
	return (feature_control & FEATURE_CONTROL_LOCK) != 0 &&
	       (feature_control & FEATURE_CONTROL_VMX_OUTSIDE_SMX) == 0;
}

/* Unlocked: the firmware leaves the choice to us. */
u64 vmx_feature_control(u64 val)
{
	if ((val & FEATURE_CONTROL_LOCK) != 0)
		return val;
	return val | FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
}

static bool has_bits(u64 reg, u64 bits)
{
	return (reg & bits) == bits;
}

static bool may_set(u64 reg, u64 bits)
{
	return has_bits(FIELD_GET(VMX_CTLS_ALLOWED1, reg), bits);
}

/* Rows of struct vmx_cpu ignore @c, all others ignore @cpu. */
static bool is_met(const struct requirement *req, const struct vmx_cpu *cpu,
		   const struct vmx_caps *c)
{
	switch (req->reg) {
	case CPU_VENDOR:
		return memcmp(cpu->vendor, "GenuineIntel", 12) == 0;
	case CPU_VMX:
		return cpu->has_vmx;
	case CPU_FEATURE_CONTROL:
		return !cpu->feature_control_faults;
	case CPU_LOCK:
		return !is_locked_off(cpu->feature_control);
	case CAPS_BASIC:
		return has_bits(c->basic, req->bit);
	case CAPS_MISC:
		return has_bits(c->misc, req->bit);
	case CAPS_EPT_VPID:
		return has_bits(c->ept_vpid, req->bit);
	case CAPS_PIN:
		return may_set(c->pin, req->bit);
	case CAPS_PROC:
		return may_set(c->proc, req->bit);
	case CAPS_PROC2:
		return may_set(c->proc2, req->bit);
	case CAPS_EXIT:
		return may_set(c->exit, req->bit);
	case CAPS_ENTRY:
		return may_set(c->entry, req->bit);
	}
	return false;
}

static bool is_of_cpu(const struct requirement *req)
{
	return req->reg < CAPS_BASIC;
}

bool vmx_requirement(u32 i, const struct vmx_cpu *cpu, const struct vmx_caps *c,
		     struct vmx_requirement *out)
{
	const struct requirement *req;

	if (i >= ARRAY_SIZE(requirements))
		return false;
	req = &requirements[i];
	*out = (struct vmx_requirement){ req->name, req->what, req->why, req->remedy,
					 VMX_REQUIREMENT_MISSING };
	/* Without VMX these registers do not exist. */
	if ((req->reg > CPU_VMX && req->reg < CAPS_BASIC && !cpu->has_vmx) ||
	    (!is_of_cpu(req) && c == NULL))
		out->state = VMX_REQUIREMENT_UNKNOWN;
	else if (is_met(req, cpu, c))
		out->state = VMX_REQUIREMENT_MET;
	return true;
}

/* The remedy of @req behind its cause. In a virtual machine the outer hypervisor comes first. */
static void add_remedy(const struct requirement *req, bool is_virtual, char *why, size_t why_len)
{
	size_t len = strlen(why);
	bool is_told = req->remedy == remedy_nested;

	/* Cause (cpu): the outer hypervisor keeps VMX, or part of it, for itself.
	 * Remedy: docs/boot-qemu.md. QEMU without KVM has no VMX: use Bochs (`make run`). */
	if (is_virtual)
		fmt_print(
			why + len, why_len - len,
			"; do this: start this virtual machine with VMX for its guests (QEMU/KVM "
			"on an Intel host: -enable-kvm -cpu host,+vmx, and kvm_intel.nested=1)%s%s",
			is_told ? "" : "; else ", is_told ? "" : req->remedy);
	else
		fmt_print(why + len, why_len - len, "; do this: %s", req->remedy);
}

err_t vmx_check_caps(const struct vmx_caps *c, bool is_virtual, char *why, size_t why_len)
{
	static const struct vmx_cpu no_cpu;

	for (size_t i = 0; i < ARRAY_SIZE(requirements); i++) {
		const struct requirement *req = &requirements[i];

		if (!is_of_cpu(req) && !is_met(req, &no_cpu, c)) {
			/* Cause (cpu): the processor predates Westmere (2010), or an outer
			 * hypervisor offers only part of VMX.
			 * Remedy: a newer machine; a current KVM and `-cpu host,+vmx`. */
			fmt_print(why, why_len, "this CPU's VMX lacks %s (needed because %s)",
				  req->what, req->why);
			add_remedy(req, is_virtual, why, why_len);
			return ERR_NODEV;
		}
	}
	return ERR_NONE;
}

/* The first row of struct vmx_cpu that @cpu fails; NULL: none. */
static const struct requirement *first_missing(const struct vmx_cpu *cpu)
{
	static const struct vmx_caps no_caps;

	for (size_t i = 0; i < ARRAY_SIZE(requirements); i++) {
		if (is_of_cpu(&requirements[i]) && !is_met(&requirements[i], cpu, &no_caps))
			return &requirements[i];
	}
	return NULL;
}

const char *vmx_left_out(const struct vmx_cpu *cpu, bool uses_vmx_timer)
{
	const struct requirement *req = first_missing(cpu);

	/* Cause (left-out): the machine's processors differ.
	 * Remedy: `maxcpus=1`, or another machine. */
	if (req == NULL && uses_vmx_timer && vmx_timer_is_broken(cpu))
		return "its VMX-preemption timer runs at the wrong rate (erratum)";
	if (req == NULL)
		return NULL;
	switch (req->reg) {
	case CPU_VENDOR:
		/* Cause (left-out): the machine's processors differ.
		 * Remedy: `maxcpus=1`, or another machine. */
		return "it is no Intel CPU, unlike the boot CPU";
	case CPU_VMX:
		/* Cause (left-out): the firmware enabled VMX on some processors only.
		 * Remedy: [see above](#vmx-is-missing-or-locked-off); power-cycle; update the
		 * firmware. */
		return "it has no VMX, unlike the boot CPU (enable it for all CPUs in the "
		       "firmware setup)";
	case CPU_FEATURE_CONTROL:
		return "its IA32_FEATURE_CONTROL cannot be read";
	default: /* CPU_LOCK: first_missing() returns no other */
		return "VMX is locked off in its IA32_FEATURE_CONTROL, unlike the boot CPU's "
		       "(update the firmware, or power-cycle)";
	}
}

/* The first line that a user sees: give the values found. */
static void describe_cpu(const struct requirement *req, const struct vmx_cpu *cpu, char *why,
			 size_t why_len)
{
	switch (req->reg) {
	case CPU_VENDOR:
		/* Cause (cpu): not an Intel processor.
		 * Remedy: an Intel machine; in a virtual machine `-cpu host,+vmx` on an Intel
		 * host. */
		fmt_print(
			why, why_len,
			"the CPU vendor is \"%s\": Kensho needs an Intel CPU with VMX (AMD SVM is "
			"not supported)",
			cpu->vendor);
		break;
	case CPU_VMX:
		/* Cause (cpu): VMX is off or locked off in the firmware set-up, or the processor
		 * has none.
		 * Remedy: [see above](#vmx-is-missing-or-locked-off). */
		fmt_print(why, why_len, "the CPU has no VMX (CPUID.1:ECX.VMX is 0)");
		break;
	case CPU_FEATURE_CONTROL:
		/* Cause (cpu): an outer hypervisor that does not emulate the register.
		 * Remedy: update it, or QEMU/KVM with `-cpu host,+vmx`. */
		fmt_print(why, why_len, "IA32_FEATURE_CONTROL cannot be read");
		break;
	default: /* CPU_LOCK: first_missing() returns no other */
		/* Cause (cpu): VMX is off or locked off in the firmware set-up, or the processor
		 * has none.
		 * Remedy: [see above](#vmx-is-missing-or-locked-off). */
		fmt_print(why, why_len, "VMX is locked off in IA32_FEATURE_CONTROL (0x%llx)",
			  cpu->feature_control);
	}
}

err_t vmx_check_cpu(const struct vmx_cpu *cpu, char *why, size_t why_len)
{
	const struct requirement *req = first_missing(cpu);

	if (req == NULL)
		return ERR_NONE;
	describe_cpu(req, cpu, why, why_len);
	add_remedy(req, cpu->has_hypervisor, why, why_len);
	return ERR_NODEV;
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
