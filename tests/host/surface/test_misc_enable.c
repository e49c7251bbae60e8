/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/misc_enable.c: which bits stick, for whom, and what CPUID and EFER make of them. */
#include "tests/host/harness.h"

#include "arch/x86/defs/cpuid.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/surface/cpuid.h"
#include "core/surface/msr.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void init(void)
{
	fake_guest_init(&g, 2, NULL);
}

static enum msr_result rd(u32 msr, u64 *val)
{
	return msr_read(&g.vp[0], msr, val);
}

static enum msr_result wr(u32 msr, u64 val)
{
	return msr_write(&g.vp[0], msr, val);
}

static void test_misc_enable(void)
{
	u64 val;

	init();
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MISC_ENABLE, &val));
	EXPECT_EQ(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_BTS_UNAVAILABLE |
			  MISC_ENABLE_PEBS_UNAVAILABLE,
		  val);
	fake_msr_set(MSR_IA32_MISC_ENABLE, MISC_ENABLE_PERFMON_AVAILABLE);
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MISC_ENABLE, &val));
	EXPECT_EQ(MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE, val);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, val)); /* writing back what was read is safe */
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, val | MISC_ENABLE_TURBO_DISABLE));
	EXPECT_EQ(MSR_OK, rd(MSR_IA32_MISC_ENABLE, &val));
	EXPECT_NE(0, val & MISC_ENABLE_TURBO_DISABLE);
}

static u64 misc_enable_of(u32 vp)
{
	u64 val = 0;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[vp], MSR_IA32_MISC_ENABLE, &val));
	return val;
}

/* Every bit: it is kept, it is read-only and ignored, or it is reserved. On one VP only. */
static void test_misc_enable_bits(void)
{
	const u64 kept = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_TCC |
			 MISC_ENABLE_ENHANCED_SPEEDSTEP | MISC_ENABLE_MONITOR_FSM |
			 MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XTPR_DISABLE |
			 MISC_ENABLE_XD_DISABLE | MISC_ENABLE_TURBO_DISABLE;
	const u64 fixed = MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE;

	init();
	for (u32 i = 0; i < 64; i++) {
		bool legal = ((kept | fixed | MISC_ENABLE_PERFMON_AVAILABLE) & BIT64(i)) != 0;

		EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, 0));
		EXPECT_EQ(fixed, misc_enable_of(0)); /* 0 stays, but for what is read-only */
		EXPECT_EQ(legal ? MSR_OK : MSR_GP, wr(MSR_IA32_MISC_ENABLE, BIT64(i)));
		EXPECT_EQ(fixed | (kept & BIT64(i)), misc_enable_of(0));
	}
	EXPECT_EQ(MISC_ENABLE_FAST_STRINGS | fixed, misc_enable_of(1));
}

/* INIT leaves it alone (SDM "Processor States Following Power-up, Reset, or INIT"). */
static void test_misc_enable_survives_init(void)
{
	u64 val = MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XD_DISABLE | MISC_ENABLE_BTS_UNAVAILABLE |
		  MISC_ENABLE_PEBS_UNAVAILABLE;
	struct cpuid_regs r;

	init();
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, val));
	vp_reset(&g.vp[0], true);
	EXPECT_EQ(val, misc_enable_of(0));
	vp_reset(&g.vp[0], false);
	EXPECT_EQ(misc_enable_of(1), misc_enable_of(0));
	cpuid_query(&g.vp[0], 0, 0, &r);
	EXPECT_EQ(0x1f, r.a);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_EFER, EFER_LME | EFER_NXE));
}

static bool efer_write_exits(u32 vp)
{
	return (g.pages[vp].msr_bitmap[3072 + 0x80 / 8] & BIT32(0x80 % 8)) != 0;
}

/* Without NX in CPUID, EFER.NXE is a reserved bit; writes of EFER exit only then. */
static void test_xd_disable_takes_nxe(void)
{
	u64 efer = EFER_SCE | EFER_LME;

	init();
	EXPECT_FALSE(efer_write_exits(0));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, MISC_ENABLE_XD_DISABLE));
	EXPECT_TRUE(efer_write_exits(0));
	EXPECT_FALSE(efer_write_exits(1));
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_EFER, efer | EFER_NXE));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_EFER, efer));
	EXPECT_EQ(efer | EFER_LMA, fake.vmcs[VMCS_GUEST_EFER]);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, 0));
	EXPECT_FALSE(efer_write_exits(0));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_EFER, efer | EFER_NXE));
}

static void without_nx_and_leaf_3(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	fake_host_cpuid(leaf, subleaf, r);
	if (leaf == 0)
		r->a = 2;
	if (leaf == 0x80000001)
		r->d &= ~CPUID80000001_EDX_NX;
}

static void old_cpu(struct partition *p)
{
	fake.cpuid_fn = without_nx_and_leaf_3;
}

/* SDM: both writes "may generate a #GP exception" where there is nothing to take away. */
static void test_misc_enable_on_a_cpu_without_the_features(void)
{
	fake_guest_init(&g, 1, old_cpu);
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_MISC_ENABLE, MISC_ENABLE_LIMIT_CPUID));
	EXPECT_EQ(MSR_GP, wr(MSR_IA32_MISC_ENABLE, MISC_ENABLE_XD_DISABLE));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, MISC_ENABLE_TCC));
}

static void with_mwait(struct partition *p)
{
	p->config.mwait = MWAIT_C1;
}

/* SDM: with ENABLE MONITOR FSM clear MONITOR and MWAIT are #UD, so they must exit. */
static void test_monitor_disable_exits(void)
{
	const u32 exiting = PROC_MONITOR_EXITING | PROC_MWAIT_EXITING;

	fake_guest_init(&g, 1, with_mwait);
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS, (u64)exiting << 32);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, 0));
	EXPECT_EQ(exiting, fake.vmcs[VMCS_PROC_BASED_CTLS] & exiting);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, MISC_ENABLE_MONITOR_FSM));
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & exiting);
	fake_msr_set(MSR_IA32_VMX_PROCBASED_CTLS, 0); /* the CPU cannot: VM entry would fail */
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_MISC_ENABLE, 0));
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & exiting);
}

TEST_MAIN(TEST(test_misc_enable), TEST(test_misc_enable_bits), TEST(test_misc_enable_survives_init),
	  TEST(test_xd_disable_takes_nxe), TEST(test_misc_enable_on_a_cpu_without_the_features),
	  TEST(test_monitor_disable_exits))
