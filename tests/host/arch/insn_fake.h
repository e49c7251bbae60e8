/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * arch/x86/insn.h for the development host: MSRs and CPUID are those of tests/host/fakes. Include
 * it before the file under test. RDMSR and WRMSR that fault outside of the safe forms fail the
 * test.
 */
#pragma once

#include "arch/x86/insn.h"
#include "core/hw.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/harness.h"

static inline u64 insn_rdmsr(u32 msr)
{
	u64 val = 0;

	EXPECT_EQ(ERR_NONE, hw_rdmsr_safe(msr, &val));
	return val;
}

static inline void insn_wrmsr(u32 msr, u64 val)
{
	EXPECT_EQ(ERR_NONE, hw_wrmsr_safe(msr, val));
}

static inline struct cpuid_regs insn_cpuid_if(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	hw_cpuid(leaf, subleaf, &r);
	return r;
}

#define rdmsr      insn_rdmsr
#define wrmsr      insn_wrmsr
#define rdmsr_safe hw_rdmsr_safe
#define wrmsr_safe hw_wrmsr_safe
#define cpuid_if   insn_cpuid_if
