/* SPDX-License-Identifier: BSD-2-Clause */
/* arch/x86/lapic.c: the modes of the physical APIC, and firmware that has locked x2APIC mode. */
#include "tests/host/arch/insn_fake.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"

static struct percpu cpu;

static struct percpu *the_cpu(void)
{
	return &cpu;
}

#define this_cpu the_cpu

#include "arch/x86/lapic.c"

#define X2APIC (APIC_BASE_EN | APIC_BASE_EXTD)

void *mmio_map(hpa_t pa, u64 bytes)
{
	abort(); /* lapic_init() alone needs it */
}

static void machine(bool x2apic, bool locked)
{
	fake_reset();
	cpu = (struct percpu){ .x2apic = x2apic };
	fake_msr_set(MSR_IA32_APIC_BASE, APIC_BASE_DEFAULT | (x2apic ? X2APIC : APIC_BASE_EN));
	/* SDM: with the lock a write that clears EXTD is #GP. */
	fake_msr_fault(MSR_IA32_APIC_BASE, false, locked);
}

static u64 base(void)
{
	return fake_msr_find(MSR_IA32_APIC_BASE)->val;
}

static void test_modes_follow(void)
{
	machine(false, false);
	EXPECT_TRUE(hw_lapic_set_x2apic(true));
	EXPECT_TRUE(cpu.x2apic);
	EXPECT_EQ(APIC_BASE_DEFAULT | X2APIC, base());
	EXPECT_FALSE(hw_lapic_set_x2apic(false));
	EXPECT_FALSE(cpu.x2apic);
	EXPECT_EQ(APIC_BASE_DEFAULT | APIC_BASE_EN, base());
	EXPECT_EQ(3, fake.msr_writes); /* back to xAPIC mode through disabled */
}

static void test_a_locked_apic_stays(void)
{
	machine(true, true);
	EXPECT_TRUE(hw_lapic_set_x2apic(true));
	EXPECT_EQ(0, fake.msr_writes);
	EXPECT_TRUE(hw_lapic_set_x2apic(false));
	EXPECT_TRUE(cpu.x2apic);
	EXPECT_EQ(APIC_BASE_DEFAULT | X2APIC, base());
}

/* Each of the four facts decides. */
static void test_the_lock_is_seen(void)
{
	for (u32 lacks = 0; lacks < 5; lacks++) {
		machine(true, true);
		if (lacks != 0)
			fake_cpuid_set(CPUID_LEAF_EXT_FEATURES, 0, 0, 0, 0,
				       CPUID7_EDX_ARCH_CAPABILITIES);
		fake_msr_set(MSR_IA32_ARCH_CAPABILITIES, lacks != 1
								 ? ARCH_CAP_XAPIC_DISABLE_STATUS
								 : ~ARCH_CAP_XAPIC_DISABLE_STATUS);
		fake_msr_set(MSR_IA32_XAPIC_DISABLE_STATUS,
			     lacks != 2 ? LEGACY_XAPIC_DISABLED : ~LEGACY_XAPIC_DISABLED);
		if (lacks == 3)
			fake_msr_fault(MSR_IA32_XAPIC_DISABLE_STATUS, true, true);
		EXPECT_EQ(lacks == 4, lapic_is_locked());
	}
}

TEST_MAIN(TEST(test_modes_follow), TEST(test_a_locked_apic_stays), TEST(test_the_lock_is_seen))
