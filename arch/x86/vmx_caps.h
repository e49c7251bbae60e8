/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX capabilities of one CPU, and the checks that name what is missing. Pure: no hardware. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

/* Raw capability registers; the control registers are the "true" ones where the CPU has them. */
struct vmx_caps {
	u64 basic, misc, ept_vpid;
	u64 pin, proc, proc2, exit, entry;
	u64 cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
};

/* What boot must check before it may read a VMX register. */
struct vmx_cpu {
	char vendor[13];
	bool has_vmx;          /* CPUID.1:ECX.VMX */
	bool has_hypervisor;   /* CPUID.1:ECX.31: we are nested */
	bool has_tsc_deadline; /* CPUID.1:ECX.24 */
	u32 family, model, stepping;
	u64 feature_control; /* IA32_FEATURE_CONTROL; 0 when it cannot be read */
	bool feature_control_faults;
};

/**
 * vmx_check_cpu() - may VMX be used at all? (AMD CPU, VMX absent, locked off)
 * @why: on ERR_NODEV one line: cause and remedy.
 */
MUST_CHECK err_t vmx_check_cpu(const struct vmx_cpu *cpu, char *why, size_t why_len);

enum vmx_requirement_state {
	VMX_REQUIREMENT_MET,
	VMX_REQUIREMENT_MISSING,
	VMX_REQUIREMENT_UNKNOWN /* cannot be read: no VMX, or it is off */
};

/* One row of the table behind vmx_check_cpu() and vmx_check_caps(). */
struct vmx_requirement {
	const char *name; /* stable, one word */
	const char *what, *why, *remedy;
	enum vmx_requirement_state state;
};

/**
 * vmx_requirement() - row @i, in the order of the checks. False: there is none.
 * @caps: NULL when they could not be read.
 */
bool vmx_requirement(u32 i, const struct vmx_cpu *cpu, const struct vmx_caps *caps,
		     struct vmx_requirement *out);

/**
 * vmx_left_out() - why a CPU other than the boot CPU cannot join, a clause with the remedy; NULL:
 * it can.
 * @uses_vmx_timer: the VMX-preemption timer ends the guest's runs.
 */
const char *vmx_left_out(const struct vmx_cpu *cpu, bool uses_vmx_timer);

/* vmx_timer_is_broken() - the VMX-preemption timer of this stepping runs at the wrong rate. */
bool vmx_timer_is_broken(const struct vmx_cpu *cpu);

/* vmx_feature_control() - the value of IA32_FEATURE_CONTROL to use: if it was unlocked, locked
 * with VMX on. */
u64 vmx_feature_control(u64 val);

/* vmx_check_caps() - every capability that design.md requires; @why names the first that is
 * missing, with the remedy, which is another one in a virtual machine. */
MUST_CHECK err_t vmx_check_caps(const struct vmx_caps *c, bool is_virtual, char *why,
				size_t why_len);

/**
 * vmx_caps_difference() - why a CPU with @c cannot run VMCSs made for @boot: a sentence that names
 * the first register that differs; NULL: it can.
 */
const char *vmx_caps_difference(const struct vmx_caps *c, const struct vmx_caps *boot);
