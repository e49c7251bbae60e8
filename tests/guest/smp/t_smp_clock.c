// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: their clocks against each other, TSC and kvmclock, and what happens to a page of
// the clock with its CPU.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/pvclock.h"
#include "tests/guest/smp/t_smp.h"

#define KVM_SYSTEM_TIME 0x4b564d01u

#define TURNS 1000

static volatile u32 turn; /* even: CPU 0's, odd: the other's */
static volatile u64 last_time;
static volatile u32 went_back;
static u64 (*clock_read)(void);

static void take_turns(u64 parity)
{
	for (u32 i = 0; i < TURNS; i++) {
		u64 now;

		while (LOAD_ACQUIRE(turn) % 2 != parity)
			cpu_relax();
		now = clock_read();
		if (now < last_time)
			went_back++;
		last_time = now;
		STORE_RELEASE(turn, turn + 1);
	}
}

/* The clock of every CPU against CPU 0's, each reading ordered after the previous one. */
static void compare_clocks(u64 (*read)(void))
{
	clock_read = read;
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

static void tsc_equal(void)
{
	if (smp_begin())
		compare_clocks(rdtsc);
}

static volatile u64 seen_tsc, seen_adjust;

static void report_tsc(u64 unused)
{
	seen_tsc = rdtsc();
	seen_adjust = rdmsr(MSR_IA32_TSC_ADJUST);
}

static void write_tsc(u64 add)
{
	wrmsr(MSR_IA32_TSC, rdtsc() + add);
}

static void write_adjust(u64 val)
{
	wrmsr(MSR_IA32_TSC_ADJUST, val);
}

/* WRMSR TSC on one CPU: its TSC and TSC_ADJUST move, nobody else's. */
static void tsc_write(void)
{
	const u64 jump = 1ull << 40;
	u64 adjust;

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, report_tsc, 0));
	adjust = seen_adjust;
	EXPECT_TRUE(smp_run(1, write_tsc, jump));
	for (u32 i = 1; i < smp_count(); i++) {
		EXPECT_TRUE(smp_run(i, report_tsc, 0));
		if (i == 1) {
			EXPECT_GE(seen_tsc, rdtsc() + jump / 2);
			EXPECT_GE(seen_adjust, adjust + jump - jump / 100);
		} else {
			EXPECT_LE(seen_tsc, rdtsc());
			EXPECT_EQ(adjust, seen_adjust);
		}
	}
	EXPECT_TRUE(smp_run(1, write_adjust, adjust));
	compare_clocks(rdtsc);
}

static volatile struct pvclock pages[SMP_MAX] ALIGNED(4096);

static u64 own_clock(void)
{
	return pvclock_read(&pages[smp_self()]);
}

static void clock_page(u64 on)
{
	wrmsr(KVM_SYSTEM_TIME, on ? (u64)(uintptr_t)&pages[smp_self()] | 1 : 0);
}

static void clock_everywhere(u64 on)
{
	clock_page(on);
	for (u32 i = 1; i < smp_count(); i++) {
		EXPECT_TRUE(smp_run(i, clock_page, on));
		if (on)
			EXPECT_NE(0, pages[i].mul);
	}
}

static void kvmclock(void)
{
	if (!smp_begin())
		return;
	clock_everywhere(1);
	EXPECT_EQ(1, pages[0].flags); /* stable: equal on all CPUs */
	compare_clocks(own_clock);
	clock_everywhere(0);
}

/* A TSC that moves, and back: every page that is registered is written twice. */
static void rewrite_clocks(void)
{
	u64 adjust = rdmsr(MSR_IA32_TSC_ADJUST);

	wrmsr(MSR_IA32_TSC_ADJUST, adjust + 1000);
	wrmsr(MSR_IA32_TSC_ADJUST, adjust);
}

/* INIT drops the registration of its CPU: the page is memory again. */
static void kvmclock_init(void)
{
	volatile struct pvclock *pv = &pages[1];

	if (!smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, clock_page, 1));
	REQUIRE(smp_restart(1));
	pv->version = 0x5a5a5a5a;
	pv->mul = 0;
	rewrite_clocks();
	EXPECT_TRUE(smp_run(1, clock_page, 0));
	EXPECT_EQ(0x5a5a5a5a, pv->version);
	EXPECT_EQ(0, pv->mul);
}

static volatile struct pvclock new_pages[SMP_MAX] ALIGNED(4096);

static void new_clock_page(u64 on)
{
	wrmsr(KVM_SYSTEM_TIME, on ? (u64)(uintptr_t)&new_pages[smp_self()] | 1 : 0);
}

/*
 * As by kexec: the old kernel takes its own registration back and stops the others by INIT, the new
 * one registers pages of its own. What it has in the place of the old pages is never written.
 */
static void kvmclock_kexec(void)
{
	volatile u8 *old = (volatile u8 *)pages;
	u32 changed = 0;

	if (!smp_begin())
		return;
	clock_everywhere(1);
	rewrite_clocks();
	EXPECT_NE(0, pages[0].version);
	clock_page(0);
	smp_stop();
	for (u32 i = 0; i < sizeof(pages); i++)
		old[i] = 0xa5;
	REQUIRE(smp_start());
	rewrite_clocks();
	new_clock_page(1);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, new_clock_page, 1));
	for (u32 i = 0; i < smp_count(); i++) {
		u32 version = new_pages[i].version;

		rewrite_clocks();
		EXPECT_NE(version, new_pages[i].version); /* it does write */
		EXPECT_NE(0, new_pages[i].mul);
	}
	for (u32 i = 0; i < sizeof(pages); i++)
		changed += old[i] != 0xa5;
	EXPECT_EQ(0, changed);
	new_clock_page(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, new_clock_page, 0));
}

static const struct test t_smp_clock_tests[] = {
	{ .name = "smp_tsc_equal", .run = tsc_equal },
	{ .name = "smp_tsc_write", .run = tsc_write },
	{ .name = "smp_kvmclock", .run = kvmclock, .flags = T_KENSHO },
	{ .name = "smp_kvmclock_init", .run = kvmclock_init, .flags = T_KENSHO },
	{ .name = "smp_kvmclock_kexec", .run = kvmclock_kexec, .flags = T_KENSHO },
};
TEST_GROUP(t_smp_clock);
