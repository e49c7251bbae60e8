/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU says about its TSC (rule T3). Context: boot. */
#include "arch/x86/tsc.h"

#include "arch/x86/insn.h"

u64 tsc_cpuid_hz(void)
{
	u32 max = cpuid(0, 0).a;
	struct cpuid_regs r;

	if (max >= 0x15) {
		r = cpuid(0x15, 0); /* crystal Hz (c) * numerator (b) / denominator (a) */
		if (r.a != 0 && r.b != 0 && r.c != 0)
			return (u64)r.c * r.b / r.a;
	}
	if (max >= 0x16)
		return (u64)(cpuid(0x16, 0).a & 0xffff) * 1000000;
	return 0;
}
