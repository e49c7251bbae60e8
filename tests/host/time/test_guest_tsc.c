/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/guest_tsc.c: what a guest that writes its TSC moves, and what it does not (rule T2). */
#include "tests/host/harness.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/surface/msr.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static enum msr_result rd(u32 msr, u64 *val)
{
	return msr_read(&g.vp[0], msr, val);
}

static enum msr_result wr(u32 msr, u64 val)
{
	return msr_write(&g.vp[0], msr, val);
}

/* After any sequence of writes the three views agree: MSR, ADJUST, VMCS offset. */
static void test_tsc_writes_keep_views_equal(void)
{
	u64 expect_adjust = 0;

	fake_guest_init(&g, 2, NULL);
	for (u32 i = 0; i < 1000; i++) {
		u64 val = test_rng(), got;

		fake.tsc += test_rng() & 0xffffff;
		if (test_rng() & 1) {
			expect_adjust += val - (fake.tsc + g.vp[0].tsc_offset);
			EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC, val));
			EXPECT_EQ(MSR_OK, rd(MSR_IA32_TSC, &got));
			EXPECT_EQ(val, got);
		} else {
			expect_adjust = val;
			EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_ADJUST, val));
		}
		EXPECT_EQ(MSR_OK, rd(MSR_IA32_TSC_ADJUST, &got));
		EXPECT_EQ(expect_adjust, got);
		EXPECT_EQ(expect_adjust, g.vp[0].tsc_offset);
		EXPECT_EQ(expect_adjust, fake.vmcs[VMCS_TSC_OFFSET]);
		EXPECT_EQ(expect_adjust == 0, g.p.clock.synced);
	}
	EXPECT_NE(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_USE_TSC_OFFSETTING);
	EXPECT_EQ(0, g.vp[1].tsc_offset);
}

static void test_unchanged_tsc_costs_nothing(void)
{
	fake_guest_init(&g, 2, NULL);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC, fake.tsc));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_ADJUST, 0));
	EXPECT_EQ(0, fake.vmcs[VMCS_PROC_BASED_CTLS] & PROC_USE_TSC_OFFSETTING);
	EXPECT_TRUE(g.p.clock.synced);
}

/* A deadline is a value of the guest's TSC: it comes sooner when that is set forward. */
static void test_a_deadline_moves_with_the_tsc(void)
{
	u64 deadline;

	fake_guest_init(&g, 1, NULL);
	vlapic_write(&g.vp[0], APIC_SVR, 0x1ff);
	vlapic_write(&g.vp[0], APIC_LVT_TIMER, 0x51 | 2u << 17);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_DEADLINE, fake.tsc + 1000000));
	deadline = g.vp[0].deadline_tsc;
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_ADJUST, 400000));
	EXPECT_EQ(deadline - 400000, g.vp[0].deadline_tsc);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_ADJUST, 0));
	EXPECT_EQ(deadline, g.vp[0].deadline_tsc);
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_DEADLINE, 0));
	EXPECT_EQ(MSR_OK, wr(MSR_IA32_TSC_ADJUST, 400000)); /* none stays none */
	EXPECT_EQ(TIMER_NEVER, g.vp[0].deadline_tsc);
}

static void test_all_vps_moved_alike_are_synced_again(void)
{
	fake_guest_init(&g, 2, NULL);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_IA32_TSC_ADJUST, 1000));
	EXPECT_FALSE(g.p.clock.synced);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[1], MSR_IA32_TSC_ADJUST, 1000));
	EXPECT_TRUE(g.p.clock.synced);
}

TEST_MAIN(TEST(test_tsc_writes_keep_views_equal), TEST(test_unchanged_tsc_costs_nothing),
	  TEST(test_a_deadline_moves_with_the_tsc), TEST(test_all_vps_moved_alike_are_synced_again))
