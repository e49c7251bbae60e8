// SPDX-License-Identifier: BSD-2-Clause
// GUEST_IDLE: a read sleeps until an interrupt is requested, whatever blocks it.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/hyperv/hv_abi.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define VEC 0x61

static void hv_idle_msr(void)
{
	u64 val;

	if (!hv_has(HV_BIT_IDLE))
		EXPECT_EQ(EXC_GP, try_rdmsr(HV_IDLE, &val));
	EXPECT_EQ(EXC_GP, try_wrmsr(HV_IDLE, 0));
}

/* It is there already: no sleep, and it stays requested. */
static void hv_idle_not_with_a_request(void)
{
	u64 val = ~0ull;

	if (!hv_need(HV_BIT_IDLE))
		return;
	for (u32 i = 0; i < 20; i++) {
		apic_write(APIC_TPR, i % 2 != 0 ? 0xf0 : 0);
		apic_self_ipi(VEC);
		EXPECT_EQ(NO_FAULT, try_rdmsr(HV_IDLE, &val));
		EXPECT_EQ(0, val);
		EXPECT_TRUE(apic_requested(VEC));
		EXPECT_EQ(i, irq_count(VEC));
		apic_write(APIC_TPR, 0);
		sti_nop_cli();
		EXPECT_EQ(i + 1, irq_count(VEC));
	}
}

static void start_timer(u32 us)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, us * 100);
}

/* The timer ends it: with IF = 0 nothing is delivered, nor while the TPR holds it back. */
static void hv_idle_masked(void)
{
	if (!hv_need(HV_BIT_IDLE))
		return;
	for (u32 i = 0; i < 20; i++) {
		apic_write(APIC_TPR, i % 2 != 0 ? 0xf0 : 0);
		start_timer(20 + i * 20);
		EXPECT_EQ(0, rdmsr(HV_IDLE));
		EXPECT_TRUE(apic_requested(VEC));
		EXPECT_EQ(i, irq_count(VEC));
		apic_write(APIC_TPR, 0);
		sti_nop_cli();
		EXPECT_EQ(i + 1, irq_count(VEC));
	}
}

static volatile u64 back_at;

static void note_rip(struct trap_regs *regs)
{
	back_at = regs->rip;
	apic_eoi();
}

/* With IF = 1 the handler runs behind the instruction, which is complete. */
static void hv_idle_with_interrupts_on(void)
{
	u64 behind;
	u32 low, high;

	if (!hv_need(HV_BIT_IDLE))
		return;
	trap_handle(VEC, note_rip);
	for (u32 i = 0; i < 20; i++) {
		start_timer(100 + i * 20);
		low = 1;
		high = 1;
		back_at = 0;
		asm volatile("lea 1f(%%rip), %2; sti; nop; rdmsr; 1: cli"
			     : "+a"(low), "+d"(high), "=&r"(behind)
			     : "c"(HV_IDLE)
			     : "memory");
		EXPECT_EQ(behind, back_at);
		EXPECT_EQ(0, low | high);
	}
}

/* --- several CPUs --- */

static volatile u32 woken[SMP_MAX];

static void idle_masked(u64 times)
{
	u32 self = smp_self();

	for (u64 i = 0; i < times; i++) {
		(void)rdmsr(HV_IDLE);
		WRITE_ONCE(woken[self], woken[self] + 1);
		sti_nop_cli();
	}
}

/* What Linux does with a contended lock: wait with IF = 0, be kicked by an IPI. None is lost. */
static void smp_hv_idle_kick(void)
{
	if (!hv_need(HV_BIT_IDLE) || !smp_begin())
		return;
	trap_handle(SMP_VEC, smp_irq);
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		woken[cpu] = 0;
		smp_call(cpu, idle_masked, 60);
		for (u32 i = 0; i < 60; i++) {
			if (i % 3 != 0)
				delay_us(i * 10); /* while it polls, and when it sleeps */
			apic_icr(smp_ids[cpu], APIC_ICR_ASSERT | SMP_VEC);
			EXPECT_TRUE(WAIT_FOR(READ_ONCE(woken[cpu]) == i + 1, 2000));
			EXPECT_TRUE(WAIT_FOR(READ_ONCE(smp_hits[cpu]) == i + 1, 2000));
		}
		EXPECT_TRUE(smp_wait(cpu));
	}
	smp_stop();
}

static volatile u32 nmis;

static void count_nmi(struct trap_regs *regs)
{
	nmis++;
}

/* An NMI and an INIT end it, too. */
static void smp_hv_idle_nmi_and_init(void)
{
	if (!hv_need(HV_BIT_IDLE) || !smp_begin())
		return;
	trap_handle(EXC_NMI, count_nmi);
	nmis = 0;
	woken[1] = 0;
	smp_call(1, idle_masked, 2);
	delay_us(1000);
	EXPECT_EQ(0, woken[1]);
	apic_icr(smp_ids[1], APIC_ICR_ASSERT | APIC_MODE_NMI << 8);
	EXPECT_TRUE(WAIT_FOR(READ_ONCE(woken[1]) == 1, 2000));
	EXPECT_EQ(1, nmis);
	EXPECT_TRUE(smp_restart(1));
	EXPECT_EQ(1, woken[1]);
	smp_stop();
}

static const struct test t_idle_tests[] = {
	{ "hv_idle_msr", hv_idle_msr, T_ABI, NULL },
	{ "hv_idle_not_with_a_request", hv_idle_not_with_a_request, T_ABI | T_NAMED, NULL },
	{ "hv_idle_masked", hv_idle_masked, T_ABI | T_NAMED, NULL },
	{ "hv_idle_with_interrupts_on", hv_idle_with_interrupts_on, T_ABI | T_NAMED, NULL },
	{ "smp_hv_idle_kick", smp_hv_idle_kick, T_ABI | T_NAMED, NULL },
	{ "smp_hv_idle_nmi_and_init", smp_hv_idle_nmi_and_init, T_ABI | T_NAMED, NULL },
};
TEST_GROUP(t_idle);
