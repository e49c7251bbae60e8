/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/vlapic_timer.c: the three modes, their transitions, time that never runs backwards. */
#include "arch/x86/defs/msr.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP         (&at.vp[0])
#define VECTOR     0xecu
#define ONE_SHOT   VECTOR
#define PERIODIC   (VECTOR | 1u << 17)
#define DEADLINE   (VECTOR | 2u << 17)
#define TSC_PER_NS (APIC_TEST_TSC_HZ / 1000000000)

static void set_up(u32 lvt)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_TDCR, APIC_TDCR_BY_1); /* one count is 1 ns: 2 TSC ticks */
	vlapic_write(VP, APIC_LVT_TIMER, lvt);
}

/* The run loop's part: @delta later, run what is due. */
static void pass(u64 delta_tsc)
{
	fake.tsc += delta_tsc;
	if (VP->deadline_tsc <= fake.tsc)
		timer_run(VP, fake.tsc);
}

/* Take the timer interrupt if it is pending. */
static bool fired(void)
{
	if (vlapic_pending_vector(VP) != (s32)VECTOR)
		return false;
	vlapic_accept(VP, VECTOR);
	vlapic_eoi(VP);
	return true;
}

static void test_one_shot_fires_once_and_not_early(void)
{
	set_up(ONE_SHOT);
	vlapic_write(VP, APIC_TMICT, 1000000);
	EXPECT_EQ(1000000, vlapic_read(VP, APIC_TMCCT));
	pass(1000000 * TSC_PER_NS - 1);
	EXPECT_FALSE(fired());
	EXPECT_TRUE(vlapic_read(VP, APIC_TMCCT) >= 1);
	pass(2);
	EXPECT_TRUE(fired());
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
	EXPECT_EQ(1000000, vlapic_read(VP, APIC_TMICT));
	pass(100000000);
	EXPECT_FALSE(fired());
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	/* Nothing but a new count starts it again. */
	vlapic_write(VP, APIC_TDCR, 0xb);
	vlapic_write(VP, APIC_LVT_TIMER, PERIODIC);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
}

static void test_count_runs_down_monotonically(void)
{
	u32 last = 5000000;

	set_up(ONE_SHOT);
	vlapic_write(VP, APIC_TMICT, last);
	while (last != 0) {
		u32 count = vlapic_read(VP, APIC_TMCCT);

		EXPECT_TRUE(count <= last);
		last = count;
		pass(test_rng() % 300000);
		(void)fired();
	}
	EXPECT_EQ(1, VP->counters.c[COUNTER_TIMER_FIRED]);
}

static void test_every_divider_scales_the_period(void)
{
	for (u32 shift = 0; shift < 8; shift++) {
		u32 enc = (shift - 1) & 7;

		set_up(ONE_SHOT);
		vlapic_write(VP, APIC_TDCR, (enc & 3) | (enc & 4) << 1);
		vlapic_write(VP, APIC_TMICT, 1000);
		EXPECT_EQ(fake.tsc + (1000ull << shift) * TSC_PER_NS, VP->deadline_tsc);
	}
}

static void test_periodic_keeps_its_grid(void)
{
	const u64 period_tsc = 1000000 * TSC_PER_NS;
	u64 start;

	set_up(PERIODIC);
	start = fake.tsc;
	vlapic_write(VP, APIC_TMICT, 1000000);
	for (u32 i = 1; i < 50; i++) {
		EXPECT_EQ(start + i * period_tsc, VP->deadline_tsc);
		pass(VP->deadline_tsc - fake.tsc + test_rng() % 1000); /* late, but no drift */
		EXPECT_TRUE(fired());
	}
	pass(10 * period_tsc); /* very late: one interrupt, and on the grid again */
	EXPECT_TRUE(fired());
	EXPECT_FALSE(fired());
	EXPECT_EQ(0, (VP->deadline_tsc - start) % period_tsc);
	EXPECT_TRUE(VP->deadline_tsc > fake.tsc);
	vlapic_write(VP, APIC_TMICT, 0);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
	pass(10 * period_tsc);
	EXPECT_FALSE(fired());
}

/* Late by whole periods, to the tick: the one that is due now is this interrupt. */
static void test_periodic_that_is_late_by_whole_periods(void)
{
	const u64 period_tsc = 1000000 * TSC_PER_NS;

	for (u32 late = 0; late < 4; late++) {
		u64 start;

		set_up(PERIODIC);
		start = fake.tsc;
		vlapic_write(VP, APIC_TMICT, 1000000);
		pass((1 + late) * period_tsc);
		EXPECT_TRUE(fired());
		EXPECT_EQ(start + (2 + late) * period_tsc, VP->deadline_tsc);
		pass(0);
		EXPECT_FALSE(fired());
	}
}

static void test_tiny_period_cannot_storm(void)
{
	const u64 limit_tsc = 200000 * TSC_PER_NS; /* 200 us */

	set_up(PERIODIC);
	vlapic_write(VP, APIC_TMICT, 1);
	EXPECT_EQ(fake.tsc + limit_tsc, VP->deadline_tsc);
	EXPECT_EQ(1, VP->counters.c[COUNTER_TIMER_PERIOD_RAISED]);
	fake.tsc += limit_tsc / 2;
	EXPECT_EQ(1, vlapic_read(VP, APIC_TMCCT)); /* it runs: not 0 */
	pass(limit_tsc / 2);
	EXPECT_TRUE(VP->deadline_tsc > fake.tsc);
	/* The same through a one-shot that becomes periodic, and through the divider. */
	set_up(ONE_SHOT);
	vlapic_write(VP, APIC_TMICT, 1);
	vlapic_write(VP, APIC_LVT_TIMER, PERIODIC);
	pass(limit_tsc);
	EXPECT_TRUE(VP->deadline_tsc >= fake.tsc + limit_tsc);
	set_up(PERIODIC);
	vlapic_write(VP, APIC_TDCR, 0xa); /* by 128 */
	vlapic_write(VP, APIC_TMICT, 2000);
	vlapic_write(VP, APIC_TDCR, APIC_TDCR_BY_1);
	pass(1000000);
	EXPECT_TRUE(VP->deadline_tsc > fake.tsc);
}

static void test_minimum_period_is_an_option(void)
{
	static const u32 limits_us[] = { 1, 50, 1000000 };

	for (u32 i = 0; i < ARRAY_SIZE(limits_us); i++) {
		set_up(PERIODIC);
		at.p.config.min_timer_period_us = limits_us[i];
		vlapic_write(VP, APIC_TMICT, limits_us[i] * 1000 - 1);
		EXPECT_EQ(fake.tsc + limits_us[i] * 1000ull * TSC_PER_NS, VP->deadline_tsc);
		EXPECT_EQ(1, VP->counters.c[COUNTER_TIMER_PERIOD_RAISED]);
		vlapic_write(VP, APIC_TMICT, limits_us[i] * 1000 + 1);
		EXPECT_EQ(fake.tsc + (limits_us[i] * 1000ull + 1) * TSC_PER_NS, VP->deadline_tsc);
		EXPECT_EQ(1, VP->counters.c[COUNTER_TIMER_PERIOD_RAISED]);
		vlapic_write(VP, APIC_LVT_TIMER, ONE_SHOT); /* no limit */
		vlapic_write(VP, APIC_TMICT, 1);
		EXPECT_EQ(fake.tsc + TSC_PER_NS, VP->deadline_tsc);
	}
}

static void set_up_advance(u32 lvt, u32 ns, bool adapts)
{
	set_up(lvt);
	at.p.config.lapic_timer_advance_ns = adapts ? CONFIG_ADAPTS : ns;
	vlapic_timer_init(VP);
}

/* The queue is early by the advance, the interrupt never: the rest is spun away. */
static void test_advance_fires_early_and_delivers_on_time(void)
{
	static const u64 offsets[] = { 0, 5000, -5000ull };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		u64 deadline;

		set_up_advance(DEADLINE, 1000, false);
		VP->tsc_offset = offsets[i];
		deadline = fake.tsc + 12345;
		vlapic_timer_write_deadline(VP, vp_guest_tsc(VP) + 12345);
		EXPECT_EQ(deadline - 1000 * TSC_PER_NS, VP->deadline_tsc);
		fake.tsc = VP->deadline_tsc + 300;
		fake.tsc_step = 10;
		timer_run(VP, fake.tsc);
		EXPECT_GE(fake.tsc, deadline);
		EXPECT_LE(fake.tsc, deadline + 20);
		EXPECT_TRUE(fired());
		/* Late already: no wait. */
		vlapic_timer_write_deadline(VP, vp_guest_tsc(VP) + 5000);
		fake.tsc = VP->deadline_tsc + 2000 * TSC_PER_NS;
		deadline = fake.tsc;
		timer_run(VP, fake.tsc);
		EXPECT_LE(fake.tsc, deadline + 20);
		EXPECT_TRUE(fired());
	}
}

static void test_advance_is_for_deadline_mode_and_keeps_the_extremes(void)
{
	set_up_advance(ONE_SHOT, 5000, false);
	vlapic_write(VP, APIC_TMICT, 20000);
	EXPECT_EQ(fake.tsc + 20000 * TSC_PER_NS, VP->deadline_tsc);
	fake.tsc = VP->deadline_tsc;
	timer_run(VP, fake.tsc); /* would never end in the wait: this TSC stands still */
	EXPECT_TRUE(fired());

	set_up_advance(DEADLINE, 5000, false);
	vlapic_timer_write_deadline(VP, 1);
	EXPECT_EQ(0, VP->deadline_tsc);
	pass(0);
	EXPECT_TRUE(fired());
	VP->tsc_offset = -fake.tsc;
	vlapic_timer_write_deadline(VP, ~0ull);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
}

/* By an eighth of the error; errors below 100 ns and above 10000 ns do not count; else 1000. */
static void test_automatic_advance_follows_its_definition(void)
{
	static const struct {
		u32 ns;
		s64 late_ns;
		u32 want;
	} table[] = {
		{ 1000, 0, 1000 },     { 1000, 99, 1000 },    { 1000, -99, 1000 },
		{ 1000, 100, 1012 },   { 1000, -800, 900 },   { 1000, 8000, 2000 },
		{ 1000, 10000, 2250 }, { 1000, 10001, 1000 }, { 1000, -10001, 1000 },
		{ 4900, 800, 5000 },   { 4900, 808, 1000 },   { 50, -800, 1000 },
		{ 100, -800, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(table); i++)
		EXPECT_EQ(table[i].want, vlapic_timer_adapt(table[i].ns, table[i].late_ns));
	set_up_advance(DEADLINE, 0, true);
	EXPECT_EQ(1000, VP->apic.advance_ns);
	fake.tsc_step = 2;
	for (u32 i = 0; i < 100; i++) { /* the way to the handler takes 600 ns */
		vlapic_timer_write_deadline(VP, fake.tsc + 100000);
		fake.tsc = VP->deadline_tsc + 600 * TSC_PER_NS;
		timer_run(VP, fake.tsc);
		EXPECT_TRUE(fired());
	}
	EXPECT_GE(VP->apic.advance_ns, 500);
	EXPECT_LE(VP->apic.advance_ns, 710);
}

static void test_masked_timer_counts_silently(void)
{
	set_up(ONE_SHOT | APIC_LVT_MASKED);
	vlapic_write(VP, APIC_TMICT, 1000);
	pass(1000 * TSC_PER_NS);
	EXPECT_FALSE(fired());
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
	set_up(DEADLINE | APIC_LVT_MASKED);
	vlapic_timer_write_deadline(VP, fake.tsc + 10);
	pass(20);
	EXPECT_FALSE(fired());
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP)); /* consumed nevertheless */
}

static void test_deadline_is_exact(void)
{
	set_up(DEADLINE);
	vlapic_timer_write_deadline(VP, fake.tsc + 12345);
	EXPECT_EQ(fake.tsc + 12345, VP->deadline_tsc);
	EXPECT_EQ(fake.tsc + 12345, vlapic_timer_read_deadline(VP));
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
	pass(12344);
	EXPECT_FALSE(fired());
	pass(1);
	EXPECT_TRUE(fired());
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP));
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
}

static void test_past_deadline_fires_at_once_and_zero_disarms(void)
{
	set_up(DEADLINE);
	vlapic_timer_write_deadline(VP, 1);
	pass(0);
	EXPECT_TRUE(fired());
	vlapic_timer_write_deadline(VP, fake.tsc + 100);
	vlapic_timer_write_deadline(VP, 0);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP));
	pass(1000);
	EXPECT_FALSE(fired());
}

static void test_deadline_is_guest_time(void)
{
	static const u64 offsets[] = { 5000, -5000ull, 1ull << 63, -(1000000ull - 7) };

	for (u32 i = 0; i < ARRAY_SIZE(offsets); i++) {
		set_up(DEADLINE);
		VP->tsc_offset = offsets[i];
		if (vp_guest_tsc(VP) + 300 < 300)
			continue;
		vlapic_timer_write_deadline(VP, vp_guest_tsc(VP) + 300);
		EXPECT_EQ(fake.tsc + 300, VP->deadline_tsc);
		vlapic_timer_write_deadline(VP, vp_guest_tsc(VP));
		pass(0);
		EXPECT_TRUE(fired());
	}
	/* Long past in guest time, although the physical difference wraps. */
	set_up(DEADLINE);
	VP->tsc_offset = 1ull << 62;
	vlapic_timer_write_deadline(VP, 5);
	pass(0);
	EXPECT_TRUE(fired());
}

static void test_far_deadline_saturates(void)
{
	set_up(DEADLINE);
	VP->tsc_offset = -fake.tsc;
	vlapic_timer_write_deadline(VP, ~0ull);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	pass(1ull << 40);
	EXPECT_FALSE(fired());
}

static void test_registers_of_the_other_mode_are_ignored(void)
{
	set_up(DEADLINE);
	vlapic_write(VP, APIC_TMICT, 1000);
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMICT));
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	set_up(ONE_SHOT);
	EXPECT_CALL(MSR_OK, apic_test_wrmsr(VP, MSR_IA32_TSC_DEADLINE, fake.tsc + 10));
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP));
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
}

static void test_switching_to_or_from_deadline_disarms(void)
{
	set_up(DEADLINE);
	vlapic_timer_write_deadline(VP, fake.tsc + 10);
	vlapic_write(VP, APIC_LVT_TIMER, ONE_SHOT);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP));
	vlapic_write(VP, APIC_TMICT, 1000);
	vlapic_write(VP, APIC_LVT_TIMER, DEADLINE);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_read(VP, APIC_TMCCT));
	/* A change of vector or mask alone does not. */
	vlapic_timer_write_deadline(VP, fake.tsc + 10);
	vlapic_write(VP, APIC_LVT_TIMER, (DEADLINE & ~0xffu) | 0x31);
	EXPECT_EQ(fake.tsc + 10, VP->deadline_tsc);
	pass(10);
	EXPECT_EQ(0x31, vlapic_pending_vector(VP));
}

static void test_divider_change_keeps_the_count(void)
{
	u32 count;

	set_up(ONE_SHOT);
	vlapic_write(VP, APIC_TMICT, 1000000);
	pass(400000 * TSC_PER_NS);
	count = vlapic_read(VP, APIC_TMCCT);
	vlapic_write(VP, APIC_TDCR, 0); /* by 2 */
	EXPECT_EQ(count, vlapic_read(VP, APIC_TMCCT));
	EXPECT_EQ(fake.tsc + 2ull * count * TSC_PER_NS, VP->deadline_tsc);
}

static void test_crystal_of_cpuid_is_the_frequency(void)
{
	apic_test_init(1, false);
	at.p.machine.cpuid_tsc_trusted = true;
	fake_cpuid_set(0x15, 0, 2, 160, 25000000, 0); /* 25 MHz, TSC 2 GHz */
	vlapic_timer_init(VP);
	EXPECT_EQ(25000000, VP->apic.timer_hz);
	vlapic_write(VP, APIC_SVR, 0x1ff);
	vlapic_write(VP, APIC_TDCR, APIC_TDCR_BY_1);
	vlapic_write(VP, APIC_LVT_TIMER, ONE_SHOT);
	vlapic_write(VP, APIC_TMICT, 25000); /* 1 ms */
	EXPECT_EQ(fake.tsc + 2000000, VP->deadline_tsc);
	pass(1000000);
	EXPECT_EQ(12500, vlapic_read(VP, APIC_TMCCT));
	fake_cpuid_set(0x15, 0, 2, 160, 0, 0); /* crystal not named: TSC * 2 / 160 */
	vlapic_timer_init(VP);
	EXPECT_EQ(25000000, VP->apic.timer_hz);
}

static void test_init_stops_the_timer(void)
{
	set_up(DEADLINE);
	vlapic_timer_write_deadline(VP, fake.tsc + 10);
	vlapic_reset(VP, true);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, vlapic_timer_read_deadline(VP));
}

TEST_MAIN(TEST(test_one_shot_fires_once_and_not_early), TEST(test_count_runs_down_monotonically),
	  TEST(test_every_divider_scales_the_period), TEST(test_periodic_keeps_its_grid),
	  TEST(test_periodic_that_is_late_by_whole_periods), TEST(test_tiny_period_cannot_storm),
	  TEST(test_minimum_period_is_an_option),
	  TEST(test_advance_fires_early_and_delivers_on_time),
	  TEST(test_advance_is_for_deadline_mode_and_keeps_the_extremes),
	  TEST(test_automatic_advance_follows_its_definition),
	  TEST(test_masked_timer_counts_silently), TEST(test_deadline_is_exact),
	  TEST(test_past_deadline_fires_at_once_and_zero_disarms),
	  TEST(test_deadline_is_guest_time), TEST(test_far_deadline_saturates),
	  TEST(test_registers_of_the_other_mode_are_ignored),
	  TEST(test_switching_to_or_from_deadline_disarms),
	  TEST(test_divider_change_keeps_the_count), TEST(test_crystal_of_cpuid_is_the_frequency),
	  TEST(test_init_stops_the_timer))
