// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: periodic timers of different periods, and deadlines out of HLT, on all at once.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

#define TIMER_VEC 0x56

static u32 apic_ms; /* timer counts of a millisecond; not the TSC's everywhere */

static void measure_timer(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, TIMER_VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 0xffffffff);
	delay_us(2000);
	apic_ms = (0xffffffff - apic_read(APIC_TMCCT)) / 2;
	apic_write(APIC_TMICT, 0);
}

static u32 period_of(u32 cpu)
{
	return apic_ms / 10 * (10 + cpu);
}

static void start_timer(u64 halt)
{

	apic_timer(APIC_TIMER_PERIODIC, TIMER_VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, period_of(smp_self()));
	while (!smp_quit) {
		if (halt)
			sti_hlt_cli();
		else
			sti_nop_cli();
	}
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	sti_nop_cli();
}

/* Periodic on all CPUs, each with its own period: 1 ms, 1.1 ms, ... */
static void timers(void)
{
	if (!smp_begin())
		return;
	measure_timer();
	for (u32 halt = 0; halt < 2; halt++) {
		u64 start = rdtsc();

		trap_handle(TIMER_VEC, smp_irq);
		smp_quit = false;
		for (u32 i = 0; i < smp_count(); i++)
			smp_hits[i] = 0;
		for (u32 i = 1; i < smp_count(); i++)
			smp_call(i, start_timer, halt);
		apic_timer(APIC_TIMER_PERIODIC, TIMER_VEC, APIC_TDCR_BY_1);
		apic_write(APIC_TMICT, period_of(0));
		while (smp_hits[0] < 40 && rdtsc() - start < us_to_tsc(1000000)) {
			if (halt)
				sti_hlt_cli();
			else
				sti_nop_cli();
		}
		smp_quit = true;
		apic_write(APIC_TMICT, 0);
		for (u32 i = 1; i < smp_count(); i++) {
			u64 want = smp_hits[0] * 10ull / (10 + i);

			EXPECT_TRUE(smp_wait(i));
			EXPECT_GE(smp_hits[i], want - 4);
			EXPECT_LE(smp_hits[i], want + 4);
		}
	}
}

static void deadline_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	apic_deadline(rdtsc() + 5000 + 500 * smp_self());
	apic_eoi();
}

static void halt_deadlines(u64 unused)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, TIMER_VEC, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + 1000);
	while (!smp_quit)
		sti_hlt_cli();
	apic_deadline(0);
	sti_nop_cli();
	apic_deadline(0);
}

static void deadlines(void)
{
	if (!smp_begin())
		return;
	trap_handle(TIMER_VEC, deadline_irq);
	REQUIRE(smp_all(halt_deadlines, 0));
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(WAIT_FOR(smp_hits[i] >= 30, 100000));
	EXPECT_TRUE(smp_end());
}

static const struct test t_smp_timer_tests[] = {
	{ .name = "smp_timers", .run = timers },
	{ .name = "smp_deadlines", .run = deadlines },
	{ .name = "smp_x2_timers", .run = timers, .flags = T_X2APIC },
	{ .name = "smp_x2_deadlines", .run = deadlines, .flags = T_X2APIC },
};
TEST_GROUP(t_smp_timer);
