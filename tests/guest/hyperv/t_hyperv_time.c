// SPDX-License-Identifier: BSD-2-Clause
// Hyper-V's clocks: reference time by MSR and page, frequencies, run time, the invariant TSC. What
// KVM's selftests hyperv_clock and hyperv_features assert of them, and every clock against the
// others.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/pvclock.h"
#include "tests/guest/smp/t_smp.h"

/* Restated from the TLFS, independent of hv/hyperv/hyperv_abi.h on purpose. */
#define VP_RUNTIME              0x40000010u
#define TIME_REF_COUNT          0x40000020u
#define REFERENCE_TSC           0x40000021u
#define TSC_FREQUENCY           0x40000022u
#define APIC_FREQUENCY          0x40000023u
#define REENLIGHTENMENT_CONTROL 0x40000106u
#define TSC_EMULATION_CONTROL   0x40000107u
#define TSC_EMULATION_STATUS    0x40000108u
#define TSC_INVARIANT_CONTROL   0x40000118u
#define ACCESS_VP_RUNTIME       BIT32(0)
#define ACCESS_REFERENCE_COUNT  BIT32(1)
#define ACCESS_REFERENCE_TSC    BIT32(9)
#define ACCESS_FREQUENCIES      BIT32(11)
#define ACCESS_REENLIGHTENMENT  BIT32(13)
#define ACCESS_TSC_INVARIANT    BIT32(15)

#define KVM_SYSTEM_TIME 0x4b564d01u
#define NS_PER_UNIT     100u
#define UNITS_PER_S     10000000u

struct tsc_page {
	u32 sequence, reserved;
	u64 scale, offset;
	u64 rest[509];
};
static_assert(sizeof(struct tsc_page) == 4096, "TLFS");

static volatile struct tsc_page page ALIGNED(4096);

static u32 privileges(void)
{
	return cpuid(0x40000001).a == 0x31237648 ? cpuid(0x40000003).a : 0; /* "Hv#1" */
}

/* False: the running test is skipped. */
static bool has(u32 bits)
{
	if ((privileges() & bits) == bits)
		return true;
	test_skip("the feature is off");
	return false;
}

/* --- Registers: what is not offered is #GP, read-only ones are when written --- */

static void hvtime_msrs_follow_cpuid(void)
{
	static const struct {
		u32 msr, privilege;
		u64 refused;
	} rows[] = {
		{ VP_RUNTIME, ACCESS_VP_RUNTIME, 1 },
		{ TIME_REF_COUNT, ACCESS_REFERENCE_COUNT, 1 },
		{ TSC_FREQUENCY, ACCESS_FREQUENCIES, 1 },
		{ APIC_FREQUENCY, ACCESS_FREQUENCIES, 1 },
		{ TSC_INVARIANT_CONTROL, ACCESS_TSC_INVARIANT, 0xdeadbeef },
		{ TSC_EMULATION_STATUS, ACCESS_REENLIGHTENMENT, 1 },
		/* 0: take any value */
		{ REFERENCE_TSC, ACCESS_REFERENCE_TSC, 0 },
		{ REENLIGHTENMENT_CONTROL, ACCESS_REENLIGHTENMENT, 0 },
		{ TSC_EMULATION_CONTROL, ACCESS_REENLIGHTENMENT, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		bool on = (privileges() & rows[i].privilege) != 0;
		u64 val;

		EXPECT_AT(try_rdmsr(rows[i].msr, &val) == (on ? NO_FAULT : EXC_GP), "MSR 0x%x",
			  rows[i].msr);
		if (rows[i].refused != 0 || !on)
			EXPECT_AT(try_wrmsr(rows[i].msr, rows[i].refused) == EXC_GP, "MSR 0x%x",
				  rows[i].msr);
	}
	EXPECT_EQ((privileges() & ACCESS_FREQUENCIES) != 0, cpuid(0x40000003).d >> 8 & 1);
}

static void hvtime_reenlightenment(void)
{
	if (!has(ACCESS_REENLIGHTENMENT))
		return;
	wrmsr(REENLIGHTENMENT_CONTROL, 1ull << 32 | BIT32(16) | 0xee);
	EXPECT_EQ(1ull << 32 | BIT32(16) | 0xee, rdmsr(REENLIGHTENMENT_CONTROL));
	wrmsr(TSC_EMULATION_CONTROL, 1);
	EXPECT_EQ(1, rdmsr(TSC_EMULATION_CONTROL));
	EXPECT_EQ(0, rdmsr(TSC_EMULATION_STATUS));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_EMULATION_STATUS, 0));
	wrmsr(TSC_EMULATION_CONTROL, 0);
	wrmsr(REENLIGHTENMENT_CONTROL, 0);
}

/* Set once; CPUID follows. */
static void hvtime_invariant(void)
{
	u64 val;

	if (!has(ACCESS_TSC_INVARIANT))
		return;
	EXPECT_EQ(0, rdmsr(TSC_INVARIANT_CONTROL));
	EXPECT_EQ(0, cpuid(0x80000007).d & CPUID80000007_EDX_INVARIANT_TSC);
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 0));
	EXPECT_EQ(EXC_GP, try_wrmsr(TSC_INVARIANT_CONTROL, 3));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 1));
	EXPECT_EQ(NO_FAULT, try_rdmsr(TSC_INVARIANT_CONTROL, &val));
	EXPECT_EQ(1, val);
	EXPECT_NE(0, cpuid(0x80000007).d & CPUID80000007_EDX_INVARIANT_TSC);
	EXPECT_EQ(EXC_GP, try_wrmsr(TSC_INVARIANT_CONTROL, 0));
	EXPECT_EQ(NO_FAULT, try_wrmsr(TSC_INVARIANT_CONTROL, 1));
}

/* --- The reference TSC page --- */

/* As clients read it: again while the page changes. ~0: the page is invalid. */
static u64 page_time(void)
{
	u32 sequence;
	u64 time;

	do {
		sequence = page.sequence;
		if (sequence == 0)
			return ~0ull;
		time = (u64)(((unsigned __int128)rdtsc() * page.scale) >> 64) + page.offset;
	} while (page.sequence != sequence);
	return time;
}

static u64 msr_time(void)
{
	return rdmsr(TIME_REF_COUNT);
}

/* The MSR before and after: the page is between them, to the tick. */
static void expect_page_is_msr(void)
{
	EXPECT_NE(0, page.sequence);
	EXPECT_NE(~0u, page.sequence);
	for (u32 i = 0; i < 100; i++) {
		u64 before = msr_time(), now = page_time(), after = msr_time();

		EXPECT_LE(before, now);
		EXPECT_LE(now, after);
	}
}

static void page_on(void)
{
	wrmsr(REFERENCE_TSC, (u64)(uintptr_t)&page | 1);
}

static u32 try_write(volatile void *at)
{
	trap_clear();
	asm volatile(TRY_BEGIN "movl $1, (%0)" TRY_END : : "r"(at) : "memory");
	return trap_vector();
}

static void fill(u8 byte)
{
	for (u32 i = 0; i < sizeof(page); i++)
		((volatile u8 *)&page)[i] = byte;
}

static bool is_filled(u8 byte)
{
	for (u32 i = 0; i < sizeof(page); i++) {
		if (((volatile u8 *)&page)[i] != byte)
			return false;
	}
	return true;
}

static void hvtime_page(void)
{
	if (!has(ACCESS_REFERENCE_TSC))
		return;
	fill(0x5a);
	wrmsr(REFERENCE_TSC, (u64)(uintptr_t)&page); /* not enabled: not touched */
	EXPECT_TRUE(is_filled(0x5a));
	page_on();
	EXPECT_EQ((u64)(uintptr_t)&page | 1, rdmsr(REFERENCE_TSC));
	EXPECT_EQ(0, page.reserved);
	expect_page_is_msr();
	EXPECT_EQ(EXC_GP, try_write(&page));
	EXPECT_EQ(EXC_GP, try_write(&page.rest[508]));
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
	EXPECT_TRUE(is_filled(0x5a)); /* what it covered */
	EXPECT_EQ(NO_FAULT, try_write(&page));
	fill(0);
	wrmsr(MSR_IA32_TSC_ADJUST, 1000);
	EXPECT_TRUE(is_filled(0));
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
}

/* Places where no page can be are accepted, and the page is nowhere. */
static void hvtime_page_nowhere(void)
{
	static const u64 bad[] = { 0xfffffffffffff000, 0xfee00000 };

	if (!has(ACCESS_REFERENCE_TSC))
		return;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		page_on();
		EXPECT_NE(0, page.sequence);
		EXPECT_EQ(NO_FAULT, try_wrmsr(REFERENCE_TSC, bad[i] | 1));
		EXPECT_EQ(bad[i] | 1, rdmsr(REFERENCE_TSC));
		EXPECT_EQ(NO_FAULT, try_write(&page));
	}
	wrmsr(REFERENCE_TSC, 0xffe); /* reserved bits keep what is written */
	EXPECT_EQ(0xffe, rdmsr(REFERENCE_TSC));
	wrmsr(REFERENCE_TSC, 0);
}

/* The guest's TSC moves: the page has a new sequence, the time does not move. */
static void hvtime_tsc_write(void)
{
	static const u64 values[] = { 0, 1000000, 1ull << 40, 0x7000000000000000, 12345 };
	u64 last;

	if (!has(ACCESS_REFERENCE_TSC | ACCESS_REFERENCE_COUNT))
		return;
	page_on();
	last = page_time();
	for (u32 i = 0; i < ARRAY_SIZE(values); i++) {
		u32 sequence = page.sequence;
		u64 now;

		wrmsr(MSR_IA32_TSC, values[i]);
		now = page_time();
		EXPECT_NE(sequence, page.sequence);
		EXPECT_GE(now, last);
		EXPECT_LE(now, last + UNITS_PER_S / 100);
		expect_page_is_msr();
		last = page_time();
	}
	wrmsr(MSR_IA32_TSC, 1ull << 63); /* about to wrap: only the MSR can follow */
	EXPECT_EQ(0, page.sequence);
	EXPECT_GE(msr_time(), last);
	EXPECT_LE(msr_time(), last + UNITS_PER_S / 100);
	wrmsr(MSR_IA32_TSC_ADJUST, 0);
	expect_page_is_msr();
	wrmsr(REFERENCE_TSC, 0);
}

/* --- All clocks tell one time --- */

static volatile struct pvclock clocks[SMP_MAX] ALIGNED(4096);

static u64 kvm_time(void)
{
	return pvclock_read(&clocks[smp_self()]) / NS_PER_UNIT;
}

/* kvmclock's scale has 32 bits: off by this in a boot of minutes. */
#define KVM_UNITS 50u

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
	EXPECT_EQ(hz / 1000, cpuid(0x40000110).a);
	EXPECT_EQ(rdmsr(APIC_FREQUENCY) / 1000, cpuid(0x40000110).b);
	if (r.a != 0 && r.b != 0 && r.c != 0)
		EXPECT_EQ(hz / 1000000, (u64)r.c * r.b / r.a / 1000000);
	if (page.sequence != 0) /* scale = 10^7 * 2^64 / hz, rounded down */
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

/* Both ABIs: KVM's leaves are behind Hyper-V's. */
static bool has_all_clocks(void)
{
	if (!has(ALL_CLOCKS))
		return false;
	if (cpuid(0x40000100).b == 0x4b4d564b)
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

static void hvtime_runtime(void)
{
	u64 run, ref;

	if (!has(ACCESS_VP_RUNTIME | ACCESS_REFERENCE_COUNT))
		return;
	run = rdmsr(VP_RUNTIME);
	ref = msr_time();
	EXPECT_LE(run, ref + KVM_UNITS);
	while (msr_time() - ref < UNITS_PER_S / 100)
		cpu_relax();
	run = rdmsr(VP_RUNTIME) - run;
	ref = msr_time() - ref;
	EXPECT_LE(run, ref + KVM_UNITS);
	EXPECT_GE(run, ref - ref / 10);
}

/*
 * test_fault=tsc_frequency: 4/3 of the frequency, 300 ms after the start. Until the guest ends the
 * emulation nothing changes; then all clocks go on from where they are.
 */
#define CHANGED 0x5e

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
	wrmsr(KVM_SYSTEM_TIME, 0);
	wrmsr(REFERENCE_TSC, 0);
}

/* --- Several CPUs --- */

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

static const struct test t_hyperv_time_tests[] = {
	{ .name = "hvtime_msrs_follow_cpuid",
	  .run = hvtime_msrs_follow_cpuid,
	  .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_reenlightenment",
	  .run = hvtime_reenlightenment,
	  .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_invariant", .run = hvtime_invariant, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_page", .run = hvtime_page, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_page_nowhere", .run = hvtime_page_nowhere, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_tsc_write", .run = hvtime_tsc_write, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_one_time", .run = hvtime_one_time, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtime_runtime", .run = hvtime_runtime, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvfreq_emulation", .run = hvfreq_emulation, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_one_time", .run = hvtimes_one_time, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_offsets", .run = hvtimes_offsets, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_race", .run = hvtimes_race, .flags = T_KENSHO | T_NAMED },
	{ .name = "hvtimes_init", .run = hvtimes_init, .flags = T_KENSHO | T_NAMED },
};
TEST_GROUP(t_hyperv_time);
