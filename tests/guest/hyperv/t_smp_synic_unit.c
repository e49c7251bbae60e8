// SPDX-License-Identifier: BSD-2-Clause
// What kvm-unit-tests' hyperv_synic and hyperv_stimer do and assert, on all CPUs at once. What
// hyperv_connections does is in t_smp_synic.c.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/synic.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/hyperv.h"
#include "tests/guest/smp/t_smp.h"

#define PATIENCE_UNITS 30000000ull /* 3 s of reference time */

static u64 now(void)
{
	return rdmsr(HV_X64_MSR_TIME_REF_COUNT);
}

/* False: @*count did not come to @least. With IF = 1. */
static bool comes_to(const volatile u32 *count, u32 least)
{
	u64 end = now() + PATIENCE_UNITS;

	sti();
	while (*count < least && now() < end)
		cpu_relax();
	cli();
	return *count >= least;
}

/* On every CPU; false: somebody failed. */
static volatile bool failed;

static void on_all(void (*fn)(u64))
{
	failed = false;
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		smp_call(cpu, fn, 0);
	fn(0);
	for (u32 cpu = 1; cpu < smp_count(); cpu++)
		EXPECT_TRUE(smp_wait(cpu));
	EXPECT_EQ(0, failed);
}

static void check(bool good)
{
	if (!good)
		failed = true;
}

/* --- hyperv_synic: each CPU asserts all SINTs of another, some of them with auto-EOI --- */

#define FIRST_VEC 0xb0u
#define AUTO_EOIS (BIT32(3) | BIT32(8) | BIT32(10) | BIT32(14))

static volatile u32 taken[SMP_MAX];

static void count_only(struct trap_regs *regs)
{
	taken[smp_self()]++;
}

static void count_and_eoi(struct trap_regs *regs)
{
	taken[smp_self()]++;
	apic_eoi();
}

static void sints_on(u64 unused)
{
	u32 cpu = smp_self();

	hyperv_cpu_begin();
	synic_on(0);
	taken[cpu] = 0;
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		u64 auto_eoi = AUTO_EOIS & BIT32(i) ? HV_SYNIC_SINT_AUTO_EOI : 0;

		synic_ctl(SYNIC_SINT_CREATE, cpu, i, 0);
		wrmsr(HV_X64_MSR_SINT0 + i, (FIRST_VEC + i) | auto_eoi);
	}
}

static void assert_all(u64 unused)
{
	u32 other = smp_count() - 1 - smp_self();

	sti();
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		synic_ctl(SYNIC_SINT_ASSERT, other, i, 0);
	cli();
	check(comes_to(&taken[other], HV_SYNIC_SINT_COUNT));
	check(comes_to(&taken[smp_self()], HV_SYNIC_SINT_COUNT));
}

static void smp_hvsynic_unit_sints(void)
{
	if (!synic_begin_testdev() || !smp_begin())
		return;
	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		trap_handle(FIRST_VEC + i, AUTO_EOIS & BIT32(i) ? count_only : count_and_eoi);
	on_all(sints_on);
	on_all(assert_all);
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(HV_SYNIC_SINT_COUNT, taken[cpu]);
	on_all(synic_off);
	smp_stop();
	hyperv_end();
}

/* --- hyperv_stimer: a timer's SINT with EOI, another's with auto-EOI; one handler for all slots
 * --- */

#define SINT_EOI  2u
#define SINT_AUTO 3u
#define VEC_EOI   0x71u
#define VEC_AUTO  0x72u
#define MS        10000ull
#define TICKS     100u
#define TIMERS    4u

static volatile u32 fired[SMP_MAX][TIMERS];

static void take_all(void)
{
	u32 cpu = smp_self();

	for (u32 i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		volatile struct hv_message *slot = synic_slot(cpu, i);
		u32 timer = (u32)slot->u.payload[0];

		if (slot->header.message_type == 0)
			continue;
		check(slot->header.message_type == HVMSG_TIMER_EXPIRED && timer < TIMERS &&
		      slot->header.payload_size >= sizeof(struct hv_timer_message_payload));
		fired[cpu][timer % TIMERS]++;
		slot->header.message_type = 0;
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (slot->header.message_flags & HV_MESSAGE_PENDING)
			wrmsr(HV_X64_MSR_EOM, 0);
	}
}

static void take_and_eoi(struct trap_regs *regs)
{
	take_all();
	apic_eoi();
}

static void take_only(struct trap_regs *regs)
{
	take_all();
}

/* Enabled by its configuration, behind the count; with AUTO_ENABLE by its count. */
static void start(u32 timer, u64 config, u32 sint)
{
	u32 config_msr = HV_X64_MSR_STIMER0_CONFIG + 2 * timer, count_msr = config_msr + 1;
	u64 count = config & HV_STIMER_PERIODIC ? MS : now() + MS;

	fired[smp_self()][timer] = 0;
	config |= HV_STIMER_ENABLE | (u64)sint << 16;
	if (!(config & HV_STIMER_AUTO_ENABLE))
		wrmsr(count_msr, count);
	wrmsr(config_msr, config);
	if (config & HV_STIMER_AUTO_ENABLE)
		wrmsr(count_msr, count);
}

static void stop(u32 timer)
{
	wrmsr(HV_X64_MSR_STIMER0_CONFIG + 2 * timer, 0);
}

static void timers_on(u64 unused)
{
	hyperv_cpu_begin();
	synic_on(0);
	wrmsr(HV_X64_MSR_SINT0 + SINT_EOI, VEC_EOI);
	wrmsr(HV_X64_MSR_SINT0 + SINT_AUTO, VEC_AUTO | HV_SYNIC_SINT_AUTO_EOI);
}

static void run_periods(u64 unused)
{
	volatile u32 *mine = fired[smp_self()];
	u64 begin = now();

	start(0, HV_STIMER_PERIODIC, SINT_EOI);
	start(1, HV_STIMER_PERIODIC, SINT_AUTO);
	check(comes_to(&mine[0], TICKS) && comes_to(&mine[1], TICKS));
	stop(0);
	stop(1);
	check(mine[0] <= (now() - begin) / MS && mine[1] <= (now() - begin) / MS);
	start(0, HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE, SINT_EOI);
	check(comes_to(&mine[0], TICKS));
	stop(0);
}

static void run_shots(u64 unused)
{
	volatile u32 *mine = fired[smp_self()];

	start(0, 0, SINT_EOI);
	check(comes_to(&mine[0], 1));
	stop(0);
	start(1, HV_STIMER_AUTO_ENABLE, SINT_AUTO);
	check(comes_to(&mine[1], 1));
	stop(1);
}

/* The slot is full until the pending flag shows. */
static void run_busy(u64 unused)
{
	volatile struct hv_message *slot = synic_slot(smp_self(), SINT_EOI);
	volatile u32 *mine = fired[smp_self()];
	u64 end = now() + PATIENCE_UNITS;

	slot->header.message_type = HVMSG_TIMER_EXPIRED;
	start(0, 0, SINT_EOI);
	sti();
	while (!(slot->header.message_flags & HV_MESSAGE_PENDING) && now() < end)
		cpu_relax();
	check(slot->header.message_flags & HV_MESSAGE_PENDING && mine[0] == 0);
	slot->header.message_type = 0;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	wrmsr(HV_X64_MSR_EOM, 0);
	check(comes_to(&mine[0], 1));
	stop(0);
}

static void smp_hvsynic_unit_timers(void)
{
	if (!(hyperv_features_a() & HV_MSR_SYNTIMER_AVAILABLE)) {
		test_skip("hv-stimer is off here");
		return;
	}
	if (!synic_begin() || !smp_begin())
		return;
	trap_handle(VEC_EOI, take_and_eoi);
	trap_handle(VEC_AUTO, take_only);
	on_all(timers_on);
	on_all(run_periods);
	on_all(run_shots);
	on_all(run_busy);
	on_all(synic_off);
	smp_stop();
	hyperv_end();
}

static const struct test t_smp_synic_unit_tests[] = {
	{ "smp_hvsynic_unit_sints", smp_hvsynic_unit_sints, T_ABI | T_NAMED, NULL },
	{ "smp_hvsynic_unit_timers", smp_hvsynic_unit_timers, T_ABI | T_NAMED, NULL },
};
TEST_GROUP(t_smp_synic_unit);
