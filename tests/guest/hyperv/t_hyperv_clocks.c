// SPDX-License-Identifier: BSD-2-Clause
// Every clock against the others: reference time, the TSC page, kvmclock, the PM timer, and what is
// said of frequencies; on each CPU, and while the frequency changes.

#include "tests/guest/hyperv/hvtime.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/pvclock.h"
#include "tests/guest/smp/t_smp.h"

#define KVM_SYSTEM_TIME 0x4b564d01u
#define NS_PER_UNIT     100u

static volatile struct pvclock clocks[SMP_MAX] ALIGNED(4096);

static u64 kvm_time(void)
{
	return pvclock_read(&clocks[smp_self()]) / NS_PER_UNIT;
}

/* Readings in turn, by every clock: none is before the one read before it. */
static void expect_one_time(void)
{
	bool valid = page.sequence != 0;

	for (u32 i = 0; i < 50; i++) {
		u64 first = msr_time(), kvm = kvm_time(), by_page = valid ? page_time() : first;
		u64 last = msr_time();

		EXPECT_GE(kvm + KVM_UNITS, first);
		EXPECT_GE(by_page, first);
		EXPECT_LE(kvm, last + KVM_UNITS);
		EXPECT_LE(by_page, last);
	}
}

/* Over 20 ms by the PM timer, the TSC of this CPU, and the MSR. */
static void expect_one_rate(void)
{
	u64 hz = rdmsr(TSC_FREQUENCY), units, tsc, want;
	u32 pm = pm_timer(), ticks;

	tsc = rdtsc();
	units = msr_time();
	while (((pm_timer() - pm) & 0xffffff) < PM_TIMER_HZ / 50)
		cpu_relax();
	units = msr_time() - units;
	tsc = rdtsc() - tsc;
	ticks = (pm_timer() - pm) & 0xffffff;
	want = (u64)ticks * UNITS_PER_S / PM_TIMER_HZ;
	EXPECT_GE(units, want - want / 100);
	EXPECT_LE(units, want + want / 100);
	want = tsc * UNITS_PER_S / hz;
	EXPECT_GE(units, want - want / 100);
	EXPECT_LE(units, want + want / 100);
}

/* What is said of the TSC's frequency, in all places. */
static void expect_one_frequency(void)
{
	u64 hz = rdmsr(TSC_FREQUENCY);
	struct cpuid_regs r = cpuid(0x15);

	EXPECT_GE(hz, tsc_hz() - tsc_hz() / 1000);
	EXPECT_LE(hz, tsc_hz() + tsc_hz() / 1000);
	if (cpuid(kvm_base()).a >= kvm_base() + 0x10) {
		EXPECT_EQ(hz / 1000, cpuid(kvm_base() + 0x10).a);
		EXPECT_EQ(rdmsr(APIC_FREQUENCY) / 1000, cpuid(kvm_base() + 0x10).b);
	}
	if (r.a != 0 && r.b != 0 && r.c != 0)
		EXPECT_EQ(hz / 1000000, (u64)r.c * r.b / r.a / 1000000);
	if (page.sequence != 0 && machine_is_kensho()) /* scale = 10^7 * 2^64 / hz, rounded down */
		EXPECT_EQ(UNITS_PER_S - 1, (u64)(((unsigned __int128)page.scale * hz) >> 64));
}

static void compare_all(u64 unused)
{
	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)&clocks[smp_self()] | 1);
	expect_one_frequency();
	expect_one_time();
	expect_one_rate();
	wrmsr(KVM_SYSTEM_TIME, 0);
}

#define ALL_CLOCKS (ACCESS_REFERENCE_COUNT | ACCESS_REFERENCE_TSC | ACCESS_FREQUENCIES)

/* Both ABIs. */
static bool has_all_clocks(void)
{
	if (!has(ALL_CLOCKS))
		return false;
	if (kvm_base() != 0)
		return true;
	test_skip("no KVM interface");
	return false;
}

static void hvtime_one_time(void)
{
	if (!has_all_clocks())
		return;
	page_on();
	compare_all(0);
	wrmsr(MSR_IA32_TSC, 77);
	compare_all(0);
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	wrmsr(REFERENCE_TSC, 0);
}

/*
 * test_fault=tsc_frequency: 4/3 of the frequency, 300 ms after the start. Until the guest ends the
 * emulation nothing changes; then all clocks go on from where they are.
 */
#define CHANGED 0x5e

/* The APIC's counter keeps its frequency, @hz being the TSC's. */
static void expect_apic_frequency(u64 hz)
{
	u64 ticks, tsc;

	apic_write(APIC_TDCR, 0xb); /* divide by 1 */
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	tsc = rdtsc();
	apic_write(APIC_TMICT, 0xffffffff);
	while (rdtsc() - tsc < hz / 100)
		cpu_relax();
	ticks = 0xffffffff - apic_read(APIC_TMCCT);
	apic_write(APIC_TMICT, 0);
	EXPECT_GE(ticks, rdmsr(APIC_FREQUENCY) / 105);
	EXPECT_LE(ticks, rdmsr(APIC_FREQUENCY) / 90);
}

static void hvfreq_emulation(void)
{
	u64 hz = rdmsr(TSC_FREQUENCY), tsc, time;
	u32 sequence;

	if (!has(ALL_CLOCKS | ACCESS_REENLIGHTENMENT))
		return;
	page_on();
	wrmsr(KVM_SYSTEM_TIME, (u64)(uintptr_t)&clocks[smp_self()] | 1);
	sequence = page.sequence;
	wrmsr(TSC_EMULATION_CONTROL, 1);
	wrmsr(REENLIGHTENMENT_CONTROL, BIT32(16) | CHANGED);
	tsc = rdtsc();
	sti();
	while (irq_count(CHANGED) == 0 && rdtsc() - tsc < hz)
		cpu_relax();
	cli();
	REQUIRE(irq_count(CHANGED) == 1);
	EXPECT_EQ(1, rdmsr(TSC_EMULATION_STATUS));
	EXPECT_EQ(hz, rdmsr(TSC_FREQUENCY));
	EXPECT_EQ(sequence, page.sequence);
	expect_page_is_msr();
	expect_one_time();
	expect_apic_frequency(hz);
	tsc = rdtsc();
	EXPECT_GE(rdmsr(MSR_IA32_TSC), tsc);
	time = msr_time();
	tsc = rdtsc();
	EXPECT_EQ(EXC_GP, try_wrmsr(TSC_EMULATION_STATUS, 1));
	wrmsr(TSC_EMULATION_STATUS, 0);
	EXPECT_GE(rdtsc(), tsc);
	EXPECT_LE(rdtsc(), tsc + hz / 100);
	EXPECT_EQ(0, rdmsr(TSC_EMULATION_STATUS));
	EXPECT_EQ(hz / 3 * 4, rdmsr(TSC_FREQUENCY));
	EXPECT_EQ(hz / 3 * 4 / 1000, cpuid(0x40000110).a);
	EXPECT_NE(sequence, page.sequence);
	EXPECT_GE(page_time(), time);
	EXPECT_LE(page_time(), time + UNITS_PER_S / 100);
	expect_page_is_msr();
	expect_one_time();
	expect_apic_frequency(hz / 3 * 4);
	wrmsr(KVM_SYSTEM_TIME, 0);
	wrmsr(REFERENCE_TSC, 0);
}

static void hvtimes_one_time(void)
{
	if (!has_all_clocks() || !smp_begin())
		return;
	page_on();
	compare_all(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, compare_all, 0));
	wrmsr(REFERENCE_TSC, 0);
}

static const struct test t_hyperv_clocks_tests[] = {
	{ .name = "hvtime_one_time", .run = hvtime_one_time, .flags = T_ABI | T_NAMED },
	{ .name = "hvfreq_emulation", .run = hvfreq_emulation, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_one_time", .run = hvtimes_one_time, .flags = T_ABI | T_NAMED },
};
TEST_GROUP(t_hyperv_clocks);
