/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/cpuid_limit.c: on machines with the limit, without it, and without the register. */
#include "tests/host/arch/insn_fake.h"

#include "arch/x86/cpuid_limit.c"

#define OTHERS (MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_XD_DISABLE)

static void test_the_limit_is_lifted(void)
{
	fake_reset();
	fake_msr_set(MSR_IA32_MISC_ENABLE, OTHERS | MISC_ENABLE_LIMIT_CPUID);
	cpuid_lift_limit();
	EXPECT_EQ(OTHERS, fake_msr_find(MSR_IA32_MISC_ENABLE)->val);
}

static void test_nothing_to_lift(void)
{
	fake_reset();
	cpuid_lift_limit(); /* no such register */
	EXPECT_EQ(0, fake.msr_writes);
	fake_msr_set(MSR_IA32_MISC_ENABLE, OTHERS);
	cpuid_lift_limit();
	EXPECT_EQ(0, fake.msr_writes);
	fake_msr_set(MSR_IA32_MISC_ENABLE, MISC_ENABLE_LIMIT_CPUID);
	fake_msr_fault(MSR_IA32_MISC_ENABLE, false, true);
	cpuid_lift_limit(); /* an outer hypervisor that takes no write */
	EXPECT_EQ(1, fake.msr_writes);
}

TEST_MAIN(TEST(test_the_limit_is_lifted), TEST(test_nothing_to_lift))
