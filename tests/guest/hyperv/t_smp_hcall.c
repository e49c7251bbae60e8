// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs at Hyper-V's two interface MSRs at once: whatever the order, the page is in one
// place at the end, and what it covered is back.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/lib/smp.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define ROUNDS 300u
#define OS_ID  HV_X64_MSR_GUEST_OS_ID
#define HCALL  HV_X64_MSR_HYPERCALL
#define ENABLE HV_X64_MSR_HYPERCALL_ENABLE

static u8 pages[SMP_MAX][4096] ALIGNED(4096);

static u64 at(u32 cpu)
{
	return (u64)(uintptr_t)pages[cpu];
}

/* Each CPU has a page of its own to move the interface to; CPU 1 takes the name away now and then.
 */
static void race(u64 cpu)
{
	for (u32 i = 0; i < ROUNDS; i++) {
		wrmsr(OS_ID, cpu == 1 && i % 3 == 0 ? 0 : cpu + 1);
		wrmsr(HCALL, at((u32)cpu) | (i % 4 != 0 ? ENABLE : 0));
	}
}

static void expect_covered(u32 count, u32 by)
{
	for (u32 cpu = 0; cpu < count; cpu++) {
		u8 want = cpu == by ? 0x0f : (u8)(0x40 + cpu);

		EXPECT_AT(pages[cpu][0] == want, "page %u: 0x%x", cpu, pages[cpu][0]);
		EXPECT_AT(pages[cpu][4095] == (cpu == by ? 0xcc : 0x40 + cpu), "page %u: 0x%x", cpu,
			  pages[cpu][4095]);
	}
}

static void smp_hcall_race(void)
{
	u32 count = smp_count();
	u64 left;

	if (!hyperv_begin())
		return;
	if (count < 2) {
		hyperv_end();
		return test_skip("needs a second CPU");
	}
	REQUIRE(smp_start());
	hyperv_end();
	for (u32 cpu = 0; cpu < count; cpu++)
		memset(pages[cpu], (int)(0x40 + cpu), 4096);
	for (u32 cpu = 1; cpu < count; cpu++)
		smp_call(cpu, race, cpu);
	race(0);
	for (u32 cpu = 1; cpu < count; cpu++)
		EXPECT_TRUE(smp_wait(cpu));
	left = rdmsr(HCALL);
	if (!(left & ENABLE))
		expect_covered(count, SMP_MAX);
	wrmsr(OS_ID, 1);
	wrmsr(HCALL, at(0) | ENABLE);
	expect_covered(count, 0);
	hyperv_end();
	expect_covered(count, SMP_MAX);
}

static const struct test t_smp_hcall_tests[] = {
	{ .name = "smp_hcall_race", .run = smp_hcall_race, .flags = T_KENSHO | T_NAMED },
};
TEST_GROUP(t_smp_hcall);
