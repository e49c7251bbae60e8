/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/reset.c: exactly 1 resets the machine. */
#include "tests/host/harness.h"

#include "hv/hv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void reset(struct partition *p)
{
	p->config.cpu_features |= BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_RESET);
}

static void test_other_values_do_nothing(void)
{
	static const u64 vals[] = { 0, 2, 3, BIT64(32) | 1, BIT64(63), ~0ull };
	u64 val = 7;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], HV_X64_MSR_RESET, &val));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], HV_X64_MSR_RESET, 1));
	fake_guest_init(&g, 1, reset);
	for (u32 i = 0; i < ARRAY_SIZE(vals); i++)
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], HV_X64_MSR_RESET, vals[i]));
	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], HV_X64_MSR_RESET, &val));
	EXPECT_EQ(0, val);
}

static void test_one_resets(void)
{
	fake_guest_init(&g, 1, reset);
	EXPECT_EQ(FAKE_END_REBOOT, FAKE_CATCH((void)msr_write(&g.vp[0], HV_X64_MSR_RESET, 1)));
	EXPECT_CONTAINS(fake.console, "resets the machine by HV_X64_MSR_RESET");
}

TEST_MAIN(TEST(test_other_values_do_nothing), TEST(test_one_resets))
