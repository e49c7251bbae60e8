// SPDX-License-Identifier: BSD-2-Clause
// The synthetic time-unhalted timer: TLFS "Synthetic Time-Unhalted Timer Registers".

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/smp/t_smp.h"

/* Restated, independent of hv/hyperv/hyperv_abi.h on purpose. */
#define TIME_REF_COUNT 0x40000020u
#define VP_ASSIST_PAGE 0x40000073u
#define STIMER0_CONFIG 0x400000b0u
#define STIMER0_COUNT  0x400000b1u
#define CONFIG         0x40000114u
#define COUNT          0x40000115u
#define AVAILABLE      BIT32(23)
#define ENABLED        BIT64(8)
#define AUTO           8ull
#define DIRECT(vector) (BIT64(12) | (u64)(vector) << 4)
#define EXPIRED        56 /* a byte of the VP assist page */
#define NMI            2u
#define TICK           0x65u
#define WAKE           0x75u
#define MS             10000u /* units of 100 ns */
#define PERIOD         (4 * MS)

static u8 assist[SMP_MAX][4096] ALIGNED(4096);
static volatile u32 ticks[SMP_MAX];

static bool is_there(void)
{
	return (hyperv_features_d() & AVAILABLE) != 0;
}

static void count_tick(struct trap_regs *regs)
{
	ticks[smp_self()]++;
	if (regs->vector != NMI)
		apic_eoi();
}

static void woken(struct trap_regs *regs)
{
	apic_eoi();
}

static bool begin(u32 vector)
{
	if (!is_there()) {
		test_skip("the feature is off");
		return false;
	}
	trap_handle(vector, count_tick);
	trap_handle(WAKE, woken);
	return true;
}

static u64 now(void)
{
	return rdmsr(TIME_REF_COUNT);
}

static void spin(u64 units)
{
	u64 end = now() + units;

	sti();
	while (now() < end)
		cpu_relax();
	cli();
}

/* A synthetic timer ends it. */
static void halt(u64 units)
{
	u64 end = now() + units;

	wrmsr(STIMER0_CONFIG, AUTO | DIRECT(WAKE));
	wrmsr(STIMER0_COUNT, end);
	while (now() < end)
		sti_hlt_cli();
}

static void start(u32 vector)
{
	ticks[smp_self()] = 0;
	wrmsr(CONFIG, ENABLED | vector);
	wrmsr(COUNT, PERIOD);
}

static void stop(void)
{
	wrmsr(CONFIG, 0);
	wrmsr(COUNT, 0);
}

static void hvunhalted_follows_cpuid(void)
{
	bool on = is_there();
	u64 val;

	if (!on) {
		EXPECT_REFUSED(try_rdmsr(CONFIG, &val) == EXC_GP);
		EXPECT_REFUSED(try_rdmsr(COUNT, &val) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(CONFIG, 0) == EXC_GP);
		EXPECT_REFUSED(try_wrmsr(COUNT, 0) == EXC_GP);
		return;
	}
	EXPECT_EQ(0, rdmsr(CONFIG));
	EXPECT_EQ(0, rdmsr(COUNT));
	EXPECT_EQ(NO_FAULT, try_wrmsr(CONFIG, TICK));
	EXPECT_EQ(TICK, rdmsr(CONFIG));
	EXPECT_EQ(NO_FAULT, try_wrmsr(COUNT, PERIOD));
	EXPECT_EQ(PERIOD, rdmsr(COUNT));
	stop();
}

/* Also what the specification does not say: a vector that is invalid is #GP, others are kept. */
static void hvunhalted_bits(void)
{
	if (!begin(TICK))
		return;
	for (u32 vector = 0; vector < 32; vector++) {
		bool bad = vector != NMI && vector < 16;

		EXPECT_EQ(bad ? EXC_GP : NO_FAULT, try_wrmsr(CONFIG, ENABLED | vector));
		wrmsr(CONFIG, vector);
	}
	wrmsr(CONFIG, ~ENABLED);
	EXPECT_EQ(0xff, rdmsr(CONFIG));
	stop();
}

/* It counts what runs, and nothing of what is halted, before or after the deadline. */
static void run_and_halt(u64 unused)
{
	u32 self = smp_self();

	start(TICK);
	spin(PERIOD / 2);
	halt(PERIOD / 4);
	halt(3 * PERIOD);
	EXPECT_AT(ticks[self] == 0, "CPU %u: %u", self, ticks[self]);
	spin(PERIOD);
	EXPECT_AT(ticks[self] == 1, "CPU %u: %u", self, ticks[self]);
	halt(PERIOD);
	spin(2 * PERIOD);
	EXPECT_AT(ticks[self] == 3, "CPU %u: %u", self, ticks[self]);
	stop();
	spin(2 * PERIOD);
	EXPECT_AT(ticks[self] == 3, "CPU %u: %u", self, ticks[self]);
}

static void hvunhalted_halts(void)
{
	if (begin(TICK))
		run_and_halt(0);
}

/* Vector 2 is an NMI, which does not wait for IF; the VP assist page says whose. */
static void hvunhalted_nmi(void)
{
	volatile u8 *expired = &assist[0][EXPIRED];
	u64 end;

	if (!begin(NMI))
		return;
	wrmsr(VP_ASSIST_PAGE, (u64)(uintptr_t)assist[0] | 1);
	*expired = 0;
	start(NMI);
	end = now() + PERIOD + PERIOD / 2;
	EXPECT_EQ(0, *expired);
	while (now() < end)
		cpu_relax();
	EXPECT_EQ(1, ticks[0]);
	EXPECT_EQ(1, *expired);
	*expired = 0;
	end += PERIOD;
	while (now() < end)
		cpu_relax();
	EXPECT_EQ(2, ticks[0]);
	EXPECT_EQ(1, *expired);
	stop();
	wrmsr(VP_ASSIST_PAGE, 0);
}

static void smp_hvunhalted_halts(void)
{
	if (!begin(TICK) || !smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, run_and_halt, 0);
	run_and_halt(0);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_wait(cpu));
}

static const struct test t_unhalted_tests[] = {
	{ "hvunhalted_follows_cpuid", hvunhalted_follows_cpuid, T_ABI | T_NAMED, NULL },
	{ "hvunhalted_bits", hvunhalted_bits, T_KENSHO | T_NAMED, NULL },
	{ "hvunhalted_halts", hvunhalted_halts, T_KENSHO | T_NAMED, NULL },
	{ "hvunhalted_nmi", hvunhalted_nmi, T_KENSHO | T_NAMED, NULL },
	{ "smp_hvunhalted_halts", smp_hvunhalted_halts, T_KENSHO | T_NAMED, NULL },
};
TEST_GROUP(t_unhalted);
