// SPDX-License-Identifier: BSD-2-Clause
// Clocks against each other: TSC, PM timer, PIT, local APIC timer.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

static void time_tsc_monotonic(void)
{
	u64 last = rdtsc();

	for (u32 i = 0; i < 2000; i++) {
		u64 now;

		if (i % 8 == 0)
			(void)cpuid(0);
		if (i % 64 == 0)
			asm volatile("wbinvd" : : : "memory");
		now = i % 2 ? rdtsc() : rdmsr(MSR_IA32_TSC);
		EXPECT_GE(now, last + 1);
		last = now;
	}
}

static void time_tsc_against_pm_timer(void)
{
	u32 pm = pm_timer(), ticks;
	u64 tsc = rdtsc(), want;

	while (((pm_timer() - pm) & 0xffffff) < PM_TIMER_HZ / 20)
		(void)cpuid(0); /* exits must not bend time */
	ticks = (pm_timer() - pm) & 0xffffff;
	want = tsc_hz() * ticks / PM_TIMER_HZ;
	tsc = rdtsc() - tsc;
	EXPECT_GE(tsc, want - want / 200);
	EXPECT_LE(tsc, want + want / 200);
}

static void time_pit_against_pm_timer(void)
{
	u32 pm, ticks;

	ioapic_route(IOAPIC_PIN_PIT, 0x58, apic_id());
	pit_oneshot(0xffff); /* 54.9 ms */
	pm = pm_timer();
	sti();
	EXPECT_TRUE(WAIT_FOR(irq_log_count != 0, 200000));
	cli();
	ticks = (pm_timer() - pm) & 0xffffff;
	EXPECT_GE(ticks, 65535 * 3 - 65535 * 3 / 100);
	EXPECT_LE(ticks, 65535 * 3 + 65535 * 3 / 100);
}

/* The frequency CPUID announces, when it announces one, is what the clocks show (rule T3). */
static void time_cpuid_frequency(void)
{
	struct cpuid_regs r = cpuid(0x15);
	u64 hz;

	if (cpuid(0).a < 0x15 || r.a == 0 || r.b == 0 || r.c == 0) {
		test_skip("CPUID.15H names no frequency");
		return;
	}
	hz = (u64)r.c * r.b / r.a;
	EXPECT_GE(hz, tsc_hz() - tsc_hz() / 1000);
	EXPECT_LE(hz, tsc_hz() + tsc_hz() / 1000);
}

/* With a crystal in CPUID.15H:ECX the APIC timer counts that (SDM "APIC Timer"). */
static void time_apic_timer_frequency(void)
{
	struct cpuid_regs r = cpuid(0x15);
	u32 pm, ticks;
	u64 want;

	if (cpuid(0).a < 0x15 || r.c == 0) {
		test_skip("CPUID.15H names no crystal");
		return;
	}
	apic_timer(APIC_TIMER_ONE_SHOT, 0x58, APIC_TDCR_BY_1);
	pm = pm_timer();
	apic_write(APIC_TMICT, 0xffffffff);
	while (((pm_timer() - pm) & 0xffffff) < PM_TIMER_HZ / 50)
		;
	ticks = 0xffffffff - apic_read(APIC_TMCCT);
	apic_write(APIC_TMICT, 0);
	want = (u64)r.c / 50;
	EXPECT_GE(ticks, want - want / 50);
	EXPECT_LE(ticks, want + want / 50);
}

static void time_invariant_tsc(void)
{
	EXPECT_NE(0, cpuid(0x80000007).d & CPUID80000007_EDX_INVARIANT_TSC);
}

static const struct test t_time_tests[] = {
	{ .name = "time_tsc_monotonic", .run = time_tsc_monotonic },
	{ .name = "time_tsc_against_pm_timer", .run = time_tsc_against_pm_timer },
	{ .name = "time_pit_against_pm_timer", .run = time_pit_against_pm_timer },
	{ .name = "time_cpuid_frequency", .run = time_cpuid_frequency, .flags = T_KENSHO },
	{ .name = "time_apic_timer_frequency",
	  .run = time_apic_timer_frequency,
	  .flags = T_KENSHO },
	{ .name = "time_invariant_tsc", .run = time_invariant_tsc, .flags = T_KENSHO },
};
TEST_GROUP(t_time);
