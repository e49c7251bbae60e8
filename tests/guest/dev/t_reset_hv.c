// SPDX-License-Identifier: BSD-2-Clause
// The machine is reset by Hyper-V's MSR: T_SOLO, as the rows of t_reset.c.

#include "arch/x86/defs/vector.h"
#include "tests/guest/dev/reset.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/tap.h"

#define RESET_ID 6

static const u32 page_msrs[] = { HV_X64_MSR_HYPERCALL, HV_X64_MSR_VP_ASSIST_PAGE,
				 HV_X64_MSR_REFERENCE_TSC };

/* With a page in place in every register, the hypercall page locked. */
static void by_hyperv(void)
{
	static u8 used[ARRAY_SIZE(page_msrs)][4096] ALIGNED(4096);

	wrmsr(HV_X64_MSR_GUEST_OS_ID, 0x8100000000000000);
	for (u32 i = 0; i < ARRAY_SIZE(page_msrs); i++)
		wrmsr(page_msrs[i], (u64)(uintptr_t)used[i] | HV_X64_MSR_HYPERCALL_ENABLE |
					    (i == 0 ? HV_X64_MSR_HYPERCALL_LOCKED : 0));
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_X64_MSR_HYPERCALL, 0));
	for (u64 val = 0; val < 64; val++) { /* KVM's selftest hyperv_features, stage 16: only 1 */
		if (val != 1)
			EXPECT_EQ(NO_FAULT, try_wrmsr(HV_X64_MSR_RESET, val));
		EXPECT_EQ(0, rdmsr(HV_X64_MSR_RESET));
	}
	wrmsr(HV_X64_MSR_RESET, 1);
}

/* Nothing is left in the second boot. */
static void reset_hyperv(void)
{
	if (!(hyperv_features_a() & HV_MSR_RESET_AVAILABLE))
		return test_skip("hv-reset is off");
	reset_by(RESET_ID, by_hyperv);
	EXPECT_EQ(0, rdmsr(HV_X64_MSR_GUEST_OS_ID));
	for (u32 i = 0; i < ARRAY_SIZE(page_msrs); i++)
		EXPECT_EQ(0, rdmsr(page_msrs[i]));
	EXPECT_EQ(NO_FAULT, try_wrmsr(HV_X64_MSR_HYPERCALL, 0)); /* not locked any more */
}

static const struct test t_reset_hv_tests[] = {
	{ .name = "reset_hyperv", .run = reset_hyperv, .flags = T_SOLO | T_KENSHO },
};
TEST_GROUP(t_reset_hv);
