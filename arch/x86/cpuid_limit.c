/* SPDX-License-Identifier: BSD-2-Clause */
/* See cpuid_limit.h. */
#include "arch/x86/cpuid_limit.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"

void cpuid_lift_limit(void)
{
	u64 val;

	if (rdmsr_safe(MSR_IA32_MISC_ENABLE, &val) == ERR_NONE &&
	    (val & MISC_ENABLE_LIMIT_CPUID) != 0)
		(void)!wrmsr_safe(MSR_IA32_MISC_ENABLE, val & ~MISC_ENABLE_LIMIT_CPUID);
}
