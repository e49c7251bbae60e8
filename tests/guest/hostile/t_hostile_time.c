// SPDX-License-Identifier: BSD-2-Clause
// TSC and TSC_ADJUST written wildly: what the TSC reads, when deadlines fire, what other clocks do.
//
// Spec: SDM Vol. 3B "Time-Stamp Counter Adjustment"; SDM Vol. 3A "TSC-Deadline Mode": an interrupt
// when the TSC is at or above the deadline, as unsigned numbers.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/pvclock.h"

#define VEC   0x5d
#define SLACK 200000ull

static u64 home; /* TSC_ADJUST */
static u64 random_state;

static const u64 wild[] = {
	0,
	1,
	~0ull,
	~0ull - 1000,
	~0ull - 10 * SLACK,
	BIT64(63),
	BIT64(63) - 1,
	BIT64(63) - 10 * SLACK,
	BIT64(32) - 1,
	BIT64(32) - 10 * SLACK,
	0x0123456789abcdefull,
	0xfedcba9876543210ull,
	0x5555555555555555ull,
	0xaaaaaaaaaaaaaaaaull,
};
#define WILD (ARRAY_SIZE(wild) + 16)

static u64 wild_value(u32 i)
{
	if (i < ARRAY_SIZE(wild))
		return wild[i];
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void begin(void)
{
	random_state = 0x2545f4914f6cdd1dull;
	home = rdmsr(MSR_IA32_TSC_ADJUST);
}

/* Not WAIT_FOR(), which looks at the TSC. */
static bool fired_within(u32 us)
{
	u32 pm = pm_timer(), ticks = (u32)((u64)us * PM_TIMER_HZ / 1000000) + 1;

	sti();
	while (irq_log_count == 0 && ((pm_timer() - pm) & 0xffffff) < ticks)
		cpu_relax();
	cli();
	return irq_log_count != 0;
}

static u64 rdtscp(void)
{
	u32 low, high;

	asm volatile("rdtscp" : "=a"(low), "=d"(high) : : "rcx", "memory");
	return (u64)high << 32 | low;
}

/* Differences are modulo 2^64: a value that wraps goes on at 0. */
static void expect_tsc(u64 val)
{
	EXPECT_LE(rdtsc() - val, SLACK);
	EXPECT_LE(rdmsr(MSR_IA32_TSC) - val, SLACK);
	EXPECT_LE(rdtscp() - val, SLACK);
	(void)cpuid(0);
	EXPECT_LE(rdtsc() - val, SLACK);
}

static void hostile_tsc_write(void)
{
	begin();
	for (u32 i = 0; i < WILD; i++) {
		u64 val = wild_value(i), adjust = rdmsr(MSR_IA32_TSC_ADJUST), before = rdtsc();

		wrmsr(MSR_IA32_TSC, val);
		expect_tsc(val);
		/* The adjustment moved by what the TSC jumped, less the time between. */
		EXPECT_LE((val - before) - (rdmsr(MSR_IA32_TSC_ADJUST) - adjust), SLACK);
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
}

static void hostile_tsc_adjust(void)
{
	begin();
	for (u32 i = 0; i < WILD; i++) {
		u64 val = wild_value(i), old = rdmsr(MSR_IA32_TSC_ADJUST), before = rdtsc();

		wrmsr(MSR_IA32_TSC_ADJUST, val);
		expect_tsc(before + (val - old));
		EXPECT_EQ(val, rdmsr(MSR_IA32_TSC_ADJUST));
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
	EXPECT_EQ(home, rdmsr(MSR_IA32_TSC_ADJUST));
}

static void disarm(void)
{
	apic_deadline(0);
	sti_nop_cli();
	irq_log_count = 0;
}

#define AHEAD 100000ull /* 5 ms */

/* Ahead, in the past, and the largest one, in every part of the TSC's range. */
static void hostile_tsc_deadline(void)
{
	begin();
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < WILD; i++) {
		u64 deadline, now;

		wrmsr(MSR_IA32_TSC, wild_value(i));
		disarm();
		deadline = rdtsc() + AHEAD; /* may wrap: then it lies in the past */
		apic_deadline(deadline);
		EXPECT_TRUE(fired_within(20000));
		now = rdtsc();
		if (deadline > AHEAD) {
			EXPECT_GE(now, deadline);
			EXPECT_LE(now - deadline, SLACK);
		}
		EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
		disarm();
		apic_deadline(1);
		EXPECT_TRUE(fired_within(2000));
		disarm();
		if (rdtsc() < ~0ull - 100 * SLACK) {
			apic_deadline(~0ull);
			EXPECT_TRUE(!fired_within(500));
			EXPECT_EQ(~0ull, rdmsr(MSR_IA32_TSC_DEADLINE));
		}
		disarm();
		EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
}

/* The TSC moves under an armed deadline: over it, and away from it. */
static void hostile_tsc_moves_deadline(void)
{
	begin();
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < WILD; i++) {
		u64 deadline = wild_value(i);

		wrmsr(MSR_IA32_TSC, 1);
		disarm();
		if (deadline < 100 * SLACK)
			continue;
		apic_deadline(deadline);
		EXPECT_TRUE(!fired_within(200));
		EXPECT_EQ(deadline, rdmsr(MSR_IA32_TSC_DEADLINE));
		wrmsr(MSR_IA32_TSC, deadline - AHEAD); /* it comes nearer */
		EXPECT_TRUE(fired_within(20000));
		EXPECT_LE(rdtsc() - deadline, SLACK);
		disarm();
		deadline = rdtsc() + AHEAD;
		apic_deadline(deadline);
		wrmsr(MSR_IA32_TSC, 1); /* out of reach again, unless it has wrapped */
		EXPECT_TRUE(deadline < 100 * SLACK || !fired_within(6000));
		disarm();
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
}

/* The timer's other modes count on, whatever the TSC does. */
static void hostile_tsc_one_shot(void)
{
	begin();
	for (u32 i = 0; i < WILD; i++) {
		u32 pm, ticks, full;

		irq_log_count = 0;
		apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
		pm = pm_timer();
		apic_write(APIC_TMICT, 40000);
		EXPECT_TRUE(fired_within(100000));
		full = (pm_timer() - pm) & 0xffffff;
		irq_log_count = 0;
		pm = pm_timer();
		apic_write(APIC_TMICT, 40000);
		wrmsr(MSR_IA32_TSC, wild_value(i));
		EXPECT_LE(apic_read(APIC_TMCCT), 40000);
		EXPECT_TRUE(fired_within(100000));
		ticks = (pm_timer() - pm) & 0xffffff;
		EXPECT_LE(ticks, full + full / 10 + 400);
		EXPECT_GE(ticks + full / 10 + 400, full);
	}
	apic_write(APIC_TMICT, 0);
	wrmsr(MSR_IA32_TSC_ADJUST, home);
}

/* --- kvmclock: Linux, Documentation/virt/kvm/x86/msr.rst --- */

#define KVM_SYSTEM_TIME 0x4b564d01u

static u8 clock_page[4096] ALIGNED(4096);

static u64 clock_ns(void)
{
	const volatile struct pvclock *pv = (const volatile struct pvclock *)clock_page;
	u64 delta = rdtsc() - pv->tsc_timestamp;

	delta = pv->shift >= 0 ? delta << pv->shift : delta >> -pv->shift;
	return pv->system_time + (u64)((unsigned __int128)delta * pv->mul >> 32);
}

/* One CPU's clock goes on evenly over every write, and stays stable: all offsets are equal. */
static void hostile_tsc_kvmclock(void)
{
	const volatile struct pvclock *pv = (const volatile struct pvclock *)clock_page;
	u64 last;

	begin();
	if (cpuid(0x40000000).b != 0x4b4d564b) { /* "KVMK" */
		test_skip("no KVM interface");
		return;
	}
	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)clock_page | 1);
	last = clock_ns();
	for (u32 i = 0; i < WILD; i++) {
		u32 version = pv->version;
		u64 now;

		wrmsr(i % 2 != 0 ? MSR_IA32_TSC_ADJUST : MSR_IA32_TSC, wild_value(i));
		now = clock_ns();
		EXPECT_GE(now, last);
		EXPECT_LE(now - last, 1000000); /* 1 ms */
		EXPECT_NE(version, pv->version);
		EXPECT_EQ(0, pv->version & 1);
		EXPECT_EQ(1, pv->flags & 1);
		last = now;
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
	EXPECT_LE(clock_ns() - last, 1000000);
	wrmsr(KVM_SYSTEM_TIME, 0);
}

/* The machine sleeps and wakes by other clocks with any TSC. */
static void hostile_tsc_hlt(void)
{
	begin();
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	for (u32 i = 0; i < WILD; i++) {
		irq_log_count = 0;
		wrmsr(MSR_IA32_TSC, wild_value(i));
		pit_oneshot(1200);
		sti_hlt_cli();
		EXPECT_EQ(1, irq_log_count);
	}
	wrmsr(MSR_IA32_TSC_ADJUST, home);
}

#define ROW(test)                                                       \
	{                                                               \
		.name = #test, .run = test, .flags = T_NAMED | T_KENSHO \
	}

static const struct test t_hostile_time_tests[] = {
	ROW(hostile_tsc_write),    ROW(hostile_tsc_adjust),
	ROW(hostile_tsc_deadline), ROW(hostile_tsc_moves_deadline),
	ROW(hostile_tsc_one_shot), ROW(hostile_tsc_kvmclock),
	ROW(hostile_tsc_hlt),
};
TEST_GROUP(t_hostile_time);
