// SPDX-License-Identifier: BSD-2-Clause
// The KVM ABI between CPUs: parked VPs, kicks, IPIs, and registrations that come and go meanwhile.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/kvm/t_kvm_pv.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/smp/t_smp.h"

static void halt_until_quit(u64 unused)
{
	while (!smp_quit)
		sti_hlt_cli();
}

/* CPU 1 halts: it says so, and takes back what it said when it wakes. */
static void smp_kvm_preempted_while_halted(void)
{
	if (!need(BIT_STEAL) || !smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, steal_on, 1));
	trap_handle(SMP_VEC, smp_irq);
	smp_call(1, halt_until_quit, 0);
	EXPECT_TRUE(WAIT_FOR(steal_of(1)->preempted == 1, 2000));
	/* As Linux does: ask for a flush only while the flag is set. */
	EXPECT_TRUE(__sync_bool_compare_and_swap(&steal_of(1)->preempted, 1, 3));
	EXPECT_EQ(3, steal_of(1)->preempted);
	smp_quit = true;
	apic_icr(smp_ids[1], APIC_ICR_ASSERT | SMP_VEC);
	EXPECT_TRUE(smp_wait(1));
	EXPECT_TRUE(smp_run(1, steal_off, 0));
	EXPECT_EQ(0, steal_of(1)->preempted);
	smp_stop();
}

/* INIT drops what a CPU registered. */
static void smp_kvm_init_unregisters(void)
{
	if (!need(BIT_STEAL) || !smp_begin())
		return;
	EXPECT_TRUE(smp_run(1, steal_on, 1));
	EXPECT_TRUE(smp_restart(1));
	memset(page, 0xa5, sizeof(page));
	smp_call(1, halt_until_quit, 0);
	delay_us(2000);
	EXPECT_EQ(0xa5, steal_of(1)->preempted);
	smp_quit = true;
	apic_icr(smp_ids[1], APIC_ICR_ASSERT | SMP_VEC);
	EXPECT_TRUE(smp_wait(1));
	smp_stop();
}

static volatile u32 kicks_seen;

static void halt_cli(u64 times)
{
	for (u64 i = 0; i < times; i++) {
		asm volatile("cli; hlt" : : : "memory");
		kicks_seen++;
	}
}

static void smp_kvm_kick_wakes(void)
{
	if (!need(BIT_UNHALT) || !smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		kicks_seen = 0;
		smp_call(cpu, halt_cli, 50);
		for (u32 i = 0; i < 50; i++) {
			if (i % 2 != 0)
				delay_us(i * 20); /* while it polls, and when it sleeps */
			EXPECT_EQ(0, kvm_call(KICK_CPU, 0, smp_ids[cpu], 0, 0));
			EXPECT_TRUE(WAIT_FOR(READ_ONCE(kicks_seen) == i + 1, 2000));
		}
		EXPECT_TRUE(smp_wait(cpu));
	}
	smp_stop();
}

static void smp_kvm_send_ipi(void)
{
	u64 low = 0;
	u32 others;

	if (!need(BIT_IPI))
		return;
	EXPECT_EQ(INVAL, kvm_call(SEND_IPI, 1, 0, 0, BIT32(11) | SMP_VEC));
	EXPECT_EQ(INVAL, kvm_call(SEND_IPI, 1, 0, 0, BIT32(18) | SMP_VEC));
	if (!smp_begin())
		return;
	others = smp_count() - 1;
	trap_handle(SMP_VEC, smp_irq);
	for (u32 cpu = 1; cpu <= others; cpu++)
		low |= BIT64(smp_ids[cpu] - smp_ids[0]);
	EXPECT_TRUE(smp_all(smp_spin, 1));
	for (u32 i = 0; i < 100; i++) {
		EXPECT_EQ(others, kvm_call(SEND_IPI, low, 0, smp_ids[0], SMP_VEC));
		for (u32 cpu = 1; cpu <= others; cpu++)
			EXPECT_TRUE(WAIT_FOR(READ_ONCE(smp_hits[cpu]) >= 1, 2000));
		for (u32 cpu = 1; cpu <= others; cpu++)
			smp_hits[cpu] = 0;
	}
	EXPECT_EQ(0, smp_hits[0]);
	EXPECT_TRUE(smp_end());
	smp_stop();
}

static void toggle(u64 times)
{
	for (u64 i = 0; i < times; i++) {
		steal_on(1);
		steal_off(0);
		wrmsr(PV_EOI_EN, addr(2048) | 1);
		wrmsr(PV_EOI_EN, 0);
	}
}

/* CPU 1 registers and unregisters while CPU 0 kicks it and yields to it. */
static void smp_kvm_toggle_under_kicks(void)
{
	if (!need(BIT_STEAL) || !need(BIT_EOI) || !need(BIT_UNHALT) || !need(BIT_YIELD) ||
	    !smp_begin())
		return;
	smp_call(1, toggle, 300);
	for (u32 i = 0; i < 300; i++) {
		EXPECT_EQ(0, kvm_call(KICK_CPU, 0, smp_ids[1], 0, 0));
		EXPECT_EQ(0, kvm_call(SCHED_YIELD, smp_ids[1], 0, 0, 0));
	}
	EXPECT_TRUE(smp_wait(1));
	EXPECT_EQ(0, steal_of(1)->preempted);
	smp_stop();
}

#define ROW(fn)                                        \
	{                                              \
		.name = #fn, .run = fn, .flags = T_ABI \
	}

static const struct test t_smp_kvm_tests[] = {
	/* KVM since 5.19: only one that lost its CPU. */
	{ .name = "smp_kvm_preempted_while_halted",
	  .run = smp_kvm_preempted_while_halted,
	  .flags = T_KENSHO },
	ROW(smp_kvm_init_unregisters),
	ROW(smp_kvm_kick_wakes),
	ROW(smp_kvm_send_ipi),
	ROW(smp_kvm_toggle_under_kicks),
};
TEST_GROUP(t_smp_kvm);
