/* SPDX-License-Identifier: BSD-2-Clause */
/* This CPU's TSC. Context: boot. */
#include "arch/x86/tsc.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/insn.h"

u64 tsc_cpuid_hz(void)
{
	/* crystal Hz (c) * numerator (b) / denominator (a) */
	struct cpuid_regs r = cpuid_if(CPUID_LEAF_TSC, 0);

	if (r.a != 0 && r.b != 0 && r.c != 0)
		return (u64)r.c * r.b / r.a;
	return (u64)(cpuid_if(CPUID_LEAF_FREQUENCY, 0).a & 0xffff) * 1000000;
}

err_t tsc_adjust_read(u64 *adjust)
{
	if ((cpuid_if(CPUID_LEAF_EXT_FEATURES, 0).b & CPUID7_EBX_TSC_ADJUST) == 0)
		return ERR_NODEV;
	return rdmsr_safe(MSR_IA32_TSC_ADJUST, adjust) == ERR_NONE ? ERR_NONE : ERR_NODEV;
}

err_t tsc_move(u64 delta_tsc)
{
	u64 adjust;

	if (tsc_adjust_read(&adjust) == ERR_NONE &&
	    wrmsr_safe(MSR_IA32_TSC_ADJUST, adjust + delta_tsc) == ERR_NONE)
		return ERR_NONE;
	return wrmsr_safe(MSR_IA32_TSC, rdtsc() + delta_tsc);
}
