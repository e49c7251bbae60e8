// SPDX-License-Identifier: BSD-2-Clause
// Reference time on several CPUs: it never goes back, also with TSCs that differ; races, INIT.

#include "tests/guest/hyperv/hvtime.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 turn;
static volatile u64 last_time;
static volatile u32 went_back;

/* The page and the MSR by turns, each reading ordered after the other CPU's. */
static void take_turns(u64 parity)
{
	for (u32 i = 0; i < 500; i++) {
		u64 now;

		while (LOAD_ACQUIRE(turn) % 2 != parity)
			cpu_relax();
		now = i % 2 && page.sequence != 0 ? page_time() : msr_time();
		if (now < last_time)
			went_back++;
		last_time = now;
		STORE_RELEASE(turn, turn + 1);
	}
}

static void compare_turns(void)
{
	for (u32 i = 1; i < smp_count(); i++) {
		turn = 0;
		last_time = 0;
		went_back = 0;
		smp_call(i, take_turns, 1);
		take_turns(0);
		EXPECT_TRUE(smp_wait(i));
		EXPECT_EQ(0, went_back);
	}
}

static void set_adjust(u64 val)
{
	wrmsr(MSR_IA32_TSC_ADJUST, val);
}

/* CPUs whose TSCs differ: no page, and one time all the same. When they agree again, the page is.
 */
static void hvtimes_offsets(void)
{
	const u64 jump = 1ull << 33;
	u32 sequence;

	if (!has(ACCESS_REFERENCE_TSC | ACCESS_REFERENCE_COUNT) || !smp_begin())
		return;
	page_on();
	sequence = page.sequence;
	EXPECT_NE(0, sequence);
	compare_turns();
	EXPECT_TRUE(smp_run(1, set_adjust, jump));
	EXPECT_EQ(0, page.sequence);
	compare_turns();
	set_adjust(jump);
	for (u32 i = 2; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, set_adjust, jump));
	EXPECT_NE(0, page.sequence);
	EXPECT_NE(sequence, page.sequence);
	compare_turns();
	set_adjust(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, set_adjust, 0));
	compare_turns();
	wrmsr(REFERENCE_TSC, 0);
}

static volatile bool stop;

static void move_page(u64 unused)
{
	for (u32 i = 0; !stop; i++)
		wrmsr(REFERENCE_TSC, i % 3 ? (u64)(uintptr_t)&page | 1 : 0);
}

/* Two CPUs race on the register: the page is where the register says. */
static void hvtimes_race(void)
{
	if (!has(ACCESS_REFERENCE_TSC) || !smp_begin())
		return;
	fill(0);
	stop = false;
	smp_call(1, move_page, 0);
	for (u32 i = 0; i < 300; i++)
		wrmsr(REFERENCE_TSC, i % 2 ? (u64)(uintptr_t)&page | 1 : 0);
	stop = true;
	EXPECT_TRUE(smp_wait(1));
	EXPECT_EQ((rdmsr(REFERENCE_TSC) & 1) != 0, page.sequence != 0);
	wrmsr(REFERENCE_TSC, 0);
	EXPECT_TRUE(is_filled(0));
}

/* INIT of a CPU: the page is the partition's and stays. */
static void hvtimes_init(void)
{
	if (!has(ACCESS_REFERENCE_TSC | ACCESS_REFERENCE_COUNT) || !smp_begin())
		return;
	page_on();
	REQUIRE(smp_restart(1));
	EXPECT_EQ((u64)(uintptr_t)&page | 1, rdmsr(REFERENCE_TSC));
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
}

static const struct test t_smp_hvtime_tests[] = {
	{ .name = "hvtimes_offsets", .run = hvtimes_offsets, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_race", .run = hvtimes_race, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_init", .run = hvtimes_init, .flags = T_ABI | T_NAMED },
};
TEST_GROUP(t_smp_hvtime);
