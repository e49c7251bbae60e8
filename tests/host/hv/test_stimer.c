/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/stimer.c: registers, modes, messages, and what makes a timer late. */
#include "tests/host/hv/stimer_sim.h"

static void test_reset(void)
{
	start();
	for (u32 i = 0; i < 4; i++) {
		EXPECT_EQ(0, get(CONFIG(i)) | get(COUNT_OF(i)));
		set(CONFIG(i), ENABLE | DIRECT | VECTOR(VEC(i)));
		set(COUNT_OF(i), now() + 10 * MS);
	}
	EXPECT_NE(TIMER_NEVER, VP->deadline_tsc);
	hv_vp_reset(VP, true);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	for (u32 i = 0; i < 4; i++)
		EXPECT_EQ(0, get(CONFIG(i)) | get(COUNT_OF(i)));
	EXPECT_EQ(0, pass(100 * MS, VEC(0)));
}

/* Every bit of CONFIG that has a meaning reads as written, the others as 0. */
static void test_config_bits(void)
{
	start();
	for (u32 bit = 0; bit < 64; bit++) {
		bool reserved = (bit >= 13 && bit < 16) || bit >= 20;

		set(CONFIG(3), 1ull << bit | SINT(1));
		EXPECT_EQ((reserved ? 0 : 1ull << bit) | SINT(1), get(CONFIG(3)));
	}
	for (u32 i = 0; i < 1000; i++) {
		u64 count = test_rng();

		set(COUNT_OF(i % 4), count);
		EXPECT_EQ(count, get(COUNT_OF(i % 4)));
	}
}

static void test_direct_needs_its_feature(void)
{
	start_with(without_direct);
	EXPECT_EQ(MSR_GP, msr_write(VP, CONFIG(0), DIRECT));
	EXPECT_EQ(MSR_GP, msr_write(VP, CONFIG(0), ~0ull));
	EXPECT_EQ(0, get(CONFIG(0)));
	set(CONFIG(0), ~DIRECT);
	EXPECT_EQ(0xf0fff, get(CONFIG(0)));
}

/* "It is not permitted to set the SINTx field to zero for an enabled timer." */
static void test_sint_0(void)
{
	start();
	set(CONFIG(1), ENABLE | PERIODIC);
	EXPECT_EQ(PERIODIC, get(CONFIG(1)));
	set(CONFIG(1), AUTO);
	set(COUNT_OF(1), 5);
	EXPECT_EQ(AUTO, get(CONFIG(1)));
	set(CONFIG(1), ENABLE | DIRECT);
	EXPECT_EQ(ENABLE | DIRECT, get(CONFIG(1)));
}

static void test_one_shot(void)
{
	u64 time;

	start();
	for (u32 i = 0; i < 4; i++) {
		time = now() + 3 * MS;
		set(COUNT_OF(i), time);
		EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
		set(CONFIG(i), ENABLE | DIRECT | VECTOR(VEC(i)));
		EXPECT_EQ(0, pass(3 * MS - 1, VEC(i)));
		EXPECT_EQ(ENABLE | DIRECT | VECTOR(VEC(i)), get(CONFIG(i)));
		EXPECT_EQ(1, pass(2, VEC(i)));
		EXPECT_EQ(DIRECT | VECTOR(VEC(i)), get(CONFIG(i)));
		EXPECT_EQ(time, get(COUNT_OF(i)));
		EXPECT_EQ(0, pass(100 * MS, VEC(i)));
	}
}

/* Never early, to the unit, and late by few ticks: whatever the TSC's frequency is. */
static void test_exact(void)
{
	for (u32 i = 0; i < 300; i++) {
		u64 time;

		start();
		EXPECT_EQ(ERR_NONE, clock_init(&g.p.clock, 11000000 + test_rng() % 9989000000ull,
					       1000, test_rng() >> 30));
		fake.tsc = test_rng() >> (8 + test_rng() % 40);
		hv_vp_reset(VP, false);
		time = now() + 1 + (test_rng() >> (20 + test_rng() % 40));
		set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)));
		set(COUNT_OF(0), time);
		if (VP->deadline_tsc == TIMER_NEVER)
			continue;
		fake.tsc = VP->deadline_tsc;
		EXPECT_GE(now(), time);
		fake.tsc -= 3 + (time >> 45);
		EXPECT_LE(now(), time - 1);
	}
}

static void test_past_and_never(void)
{
	static const u64 never[] = { ~0ull, 1ull << 63, ~0ull / 2 };

	start();
	set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), 1); /* long ago */
	EXPECT_LE(VP->deadline_tsc, fake.tsc);
	EXPECT_EQ(1, pass(0, VEC(0)));
	set(COUNT_OF(0), now());
	EXPECT_EQ(1, pass(1, VEC(0)));
	for (u32 i = 0; i < ARRAY_SIZE(never); i++) {
		set(COUNT_OF(0), never[i]);
		EXPECT_EQ(0, pass(1ull << 40, VEC(0)));
		EXPECT_EQ(AUTO | ENABLE | DIRECT | VECTOR(VEC(0)), get(CONFIG(0)));
	}
	set(CONFIG(0), AUTO | PERIODIC | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), ~0ull);
	EXPECT_EQ(0, pass(1ull << 40, VEC(0)));
}

static void test_count_0(void)
{
	start();
	/* enabled without a count: waits for one */
	set(CONFIG(0), ENABLE | DIRECT | VECTOR(VEC(0)));
	EXPECT_EQ(0, pass(100 * MS, VEC(0)));
	EXPECT_EQ(ENABLE | DIRECT | VECTOR(VEC(0)), get(CONFIG(0)));
	set(COUNT_OF(0), now() + MS);
	EXPECT_EQ(1, pass(2 * MS, VEC(0)));
	/* it stops and disables, AutoEnable or not */
	set(CONFIG(0), AUTO | PERIODIC | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), MS);
	EXPECT_EQ(3, pass(3 * MS + 1, VEC(0)));
	set(COUNT_OF(0), 0);
	EXPECT_EQ(0, pass(100 * MS, VEC(0)));
	EXPECT_EQ(AUTO | PERIODIC | DIRECT | VECTOR(VEC(0)), get(CONFIG(0)));
	/* periodic with no count: not a division by zero */
	set(CONFIG(0), ENABLE | PERIODIC | DIRECT | VECTOR(VEC(0)));
	EXPECT_EQ(0, pass(100 * MS, VEC(0)));
}

static void test_periodic(void)
{
	u64 begin;

	start();
	set(COUNT_OF(2), 7 * MS);
	set(CONFIG(2), ENABLE | PERIODIC | DIRECT | VECTOR(VEC(2)));
	begin = now();
	for (u32 i = 1; i <= 100; i++) {
		EXPECT_EQ(1, pass(begin + i * 7 * MS + 1 - now(), VEC(2)));
		EXPECT_GE(now(), begin + i * 7 * MS);
	}
	EXPECT_EQ(ENABLE | PERIODIC | DIRECT | VECTOR(VEC(2)), get(CONFIG(2)));
	set(CONFIG(2), PERIODIC | DIRECT | VECTOR(VEC(2)));
	EXPECT_EQ(0, pass(100 * MS, VEC(2)));
}

/* A period of 100 ns would leave the guest no time; the register reads as written. */
static void test_shortest_period(void)
{
	start();
	set(CONFIG(0), AUTO | PERIODIC | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), 1);
	EXPECT_EQ(1, get(COUNT_OF(0)));
	EXPECT_EQ(100, pass(100 * SHORTEST + 1, VEC(0)));
	EXPECT_EQ(1, VP->counters.c[COUNTER_TIMER_PERIOD_RAISED]);
}

/* As the ESR has it for any other source of such a vector. */
static void test_bad_vector(void)
{
	start();
	set(CONFIG(0), AUTO | DIRECT | VECTOR(15));
	set(COUNT_OF(0), 1);
	(void)pass(1, 15);
	EXPECT_FALSE(vlapic_has_request(VP));
	vlapic_write(VP, APIC_ESR, 0);
	EXPECT_EQ(1u << 6, vlapic_read(VP, APIC_ESR));
	EXPECT_EQ(AUTO | DIRECT | VECTOR(15), get(CONFIG(0)));
}

static void hold(u64 units)
{
	VP->hold.stopped = true;
	EXPECT_EQ(0, pass(units, VEC(0)));
	VP->hold.stopped = false;
	g.p.hooks->paused(VP);
}

/* While the VP is held its interrupts wait: the tick is sent behind, and at most three of those
 * that were missed; a lazy timer makes up for none. Then the grid goes on. */
static void test_held(void)
{
	static const struct {
		u64 mode;
		u32 missed, at_once, within;
	} rows[] = { { 0, 0, 1, 0 },    { 0, 1, 1, 1 },    { 0, 2, 1, 2 },
		     { 0, 3, 1, 3 },    { 0, 4, 1, 3 },    { 0, 90, 1, 3 },
		     { LAZY, 0, 1, 0 }, { LAZY, 1, 1, 0 }, { LAZY, 90, 1, 0 } };

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 begin, grid;

		start();
		set(CONFIG(0), AUTO | PERIODIC | rows[i].mode | DIRECT | VECTOR(VEC(0)));
		set(COUNT_OF(0), 10 * MS);
		begin = now();
		grid = begin + (1 + rows[i].missed) * 10 * MS;
		hold(grid + 1 - now());
		EXPECT_EQ(rows[i].at_once, took(VEC(0)));
		EXPECT_EQ(rows[i].within, pass(grid + 10 * MS - 5 - now(), VEC(0)));
		for (u32 k = 1; k < 10; k++)
			EXPECT_EQ(1, pass(grid + k * 10 * MS + 5 - now(), VEC(0)));
	}
	/* a one-shot timer, too */
	start();
	set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), now() + MS);
	hold(10 * MS);
	EXPECT_TRUE(took(VEC(0)));
	EXPECT_EQ(0, pass(100 * MS, VEC(0)));
}

/* The guest moves its TSC: reference time goes on, and so do the deadlines. */
static void test_tsc_writes(void)
{
	start();
	fake.tsc_step = 1;
	for (u32 i = 0; i < 200; i++) {
		u64 time = now() + 10 * MS;

		set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)));
		if (i % 2)
			set(COUNT_OF(0), time);
		set(0x10, test_rng() >> (1 + test_rng() % 20)); /* IA32_TSC */
		if (i % 2 == 0)
			set(COUNT_OF(0), time);
		EXPECT_EQ(0, pass(time - 2 - now(), VEC(0)));
		EXPECT_EQ(1, pass(5, VEC(0)));
	}
}

/* Another frequency, with the old TSC emulated, and without; then back. */
static void test_frequency(void)
{
	u64 time;

	for (u32 i = 0; i < 8; i++) {
		u64 hz = i & 1 ? GUEST_TSC_HZ / 3 * 4 : GUEST_TSC_HZ / 3 * 2, ticks = hz / 10000000;

		start();
		fake.tsc_step = 1;
		set(TSC_EMULATION_CONTROL, i >> 1 & 1);
		set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)));
		time = now() + 100 * MS;
		if (i & 4)
			set(COUNT_OF(0), time);
		hv_tsc_frequency(&g.p, hz);
		if (!(i & 4))
			set(COUNT_OF(0), time);
		EXPECT_EQ(0, pass((time - 3 - now()) * ticks / TICKS, VEC(0)));
		EXPECT_EQ(1, pass(10, VEC(0)));
		set(COUNT_OF(0), time = now() + 100 * MS);
		set(TSC_EMULATION_STATUS, 0);
		EXPECT_EQ(0, pass((time - 3 - now()) * ticks / TICKS, VEC(0)));
		EXPECT_EQ(1, pass(10, VEC(0)));
		EXPECT_LE(now(), time + 20); /* units of the old frequency */
	}
}

/* Another CPU's TSC is 50 ms ahead, and its VP has read the time. */
static void test_out_of_step(void)
{
	u64 time, count;

	for (u32 periodic = 0; periodic < 2; periodic++) {
		start();
		clock_out_of_step(&g.p.clock);
		g.p.hooks->clock_changed(&g.p);
		fake.tsc += 50 * MS * TICKS;
		time = now();
		fake.tsc -= 50 * MS * TICKS;
		EXPECT_EQ(time, now());
		count = periodic ? 10 * MS : time + 10 * MS;
		set(CONFIG(0), AUTO | DIRECT | VECTOR(VEC(0)) | (periodic ? PERIODIC : 0));
		set(COUNT_OF(0), count);
		EXPECT_EQ(0, pass(10 * MS - 3, VEC(0)));
		EXPECT_EQ(1, pass(5, VEC(0)));
		EXPECT_GE(now(), time + 10 * MS);
		EXPECT_EQ(periodic ? 10 : 0, pass(100 * MS, VEC(0)));
	}
}

/* Held while another frequency makes the deadline that passed one of the future. */
static void test_held_for_a_frequency(void)
{
	u64 before;

	start();
	set(TSC_EMULATION_CONTROL, 1);
	set(CONFIG(0), AUTO | PERIODIC | DIRECT | VECTOR(VEC(0)));
	set(COUNT_OF(0), 20 * MS);
	hv_tsc_frequency(&g.p, GUEST_TSC_HZ / 3 * 4);
	before = now();
	VP->hold.stopped = true;
	fake.tsc = VP->deadline_tsc - 100; /* about to come; then it runs, as of the old rate */
	timer_run(VP, fake.tsc + 1000);
	VP->hold.stopped = false;
	EXPECT_FALSE(vlapic_has_request(VP));
	EXPECT_LE(now(), before + 20 * MS - 1);
	g.p.hooks->paused(VP);
	EXPECT_FALSE(vlapic_has_request(VP));
	EXPECT_EQ(1, pass(2, VEC(0)));
	EXPECT_EQ(5, pass(100 * MS * 4 / 3, VEC(0)));
}

static void test_messages(void)
{
	u64 time;

	start();
	synic_on();
	time = now() + MS;
	set(CONFIG(1), AUTO | SINT(2));
	set(COUNT_OF(1), time);
	EXPECT_EQ(0, pass(MS - 1, VEC(1)));
	EXPECT_EQ(0, slot(2)->type);
	EXPECT_EQ(1, pass(2, VEC(1)));
	expect_message(1, 2, time);
	EXPECT_EQ(AUTO | SINT(2), get(CONFIG(1)));
	end_of_message(2);
	EXPECT_EQ(0, pass(100 * MS, VEC(1)));
	EXPECT_EQ(0, slot(2)->type);
}

/* The slot is full: the timer waits, enabled, and its message comes once, with the time at which it
 * was due. */
static void test_busy_slot(void)
{
	u64 time;

	start();
	synic_on();
	slot(1)->type = 1;
	time = now() + MS;
	set(CONFIG(0), AUTO | SINT(1));
	set(COUNT_OF(0), time);
	EXPECT_EQ(0, pass(10 * MS, VEC(0)));
	EXPECT_EQ(1, slot(1)->type);
	EXPECT_EQ(1, slot(1)->flags);
	EXPECT_EQ(AUTO | ENABLE | SINT(1), get(CONFIG(0)));
	set(EOM, 0); /* the slot is still full */
	EXPECT_FALSE(took(VEC(0)));
	end_of_message(1);
	EXPECT_TRUE(took(VEC(0)));
	expect_message(0, 1, time);
	EXPECT_EQ(AUTO | SINT(1), get(CONFIG(0)));
	end_of_message(1);
	set(EOM, 0);
	EXPECT_EQ(0, slot(1)->type);
	/* rewritten while it waits: nothing is left of it */
	slot(1)->type = 1;
	set(COUNT_OF(0), time);
	EXPECT_EQ(0, pass(1, VEC(0)));
	set(COUNT_OF(0), 0);
	end_of_message(1);
	EXPECT_EQ(0, slot(1)->type);
}

/* Late by its slot, a periodic timer is as late as by anything else. */
static void test_busy_slot_periodic(void)
{
	for (u64 lazy = 0; lazy <= LAZY; lazy += LAZY) {
		u64 begin, n = 0;

		start();
		synic_on();
		slot(3)->type = 1;
		begin = now();
		set(CONFIG(2), AUTO | PERIODIC | lazy | SINT(3));
		set(COUNT_OF(2), 10 * MS);
		EXPECT_EQ(0, pass(56 * MS, VEC(2)));
		end_of_message(3);
		EXPECT_TRUE(took(VEC(2)));
		expect_message(2, 3, begin + 10 * MS);
		while (now() < begin + 69 * MS) {
			slot(3)->type = 0;
			if (pass(MS / 2, VEC(2)) != 0)
				expect_message(2, 3, begin + (lazy ? 60 : 30 + 10 * n++) * MS);
		}
		EXPECT_EQ(lazy ? 0 : 4, n);
	}
}

/* Two timers, one slot: each gets its turn. */
static void test_shared_slot(void)
{
	start();
	synic_on();
	for (u32 i = 0; i < 4; i++) {
		set(CONFIG(i), AUTO | SINT(1));
		set(COUNT_OF(i), now() + MS);
	}
	EXPECT_EQ(1, pass(2 * MS, VEC(0)));
	for (u32 seen = 0, i = 0; i < 4; i++) {
		EXPECT_EQ(TIMER_EXPIRED, slot(1)->type);
		seen |= 1u << slot(1)->index;
		end_of_message(1);
		EXPECT_EQ(i < 3, took(VEC(0)));
		if (i == 3)
			EXPECT_EQ(15, seen);
	}
	EXPECT_EQ(0, slot(1)->type);
}

/* Off: it waits. A masked SINT takes the message. */
static void test_synic_off(void)
{
	start();
	set(CONFIG(0), AUTO | SINT(1));
	set(COUNT_OF(0), 1);
	EXPECT_EQ(0, pass(MS, VEC(0)));
	set(SIMP, SIMP_GPA | 1);
	EXPECT_EQ(0, slot(1)->type);
	set(SCONTROL, 1);
	expect_message(0, 1, 1);
	EXPECT_FALSE(vlapic_has_request(VP));
}

static void test_off(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	for (u32 msr = CONFIG(0); msr <= COUNT_OF(3); msr++) {
		EXPECT_EQ(MSR_GP, msr_read(VP, msr, &val));
		EXPECT_EQ(MSR_GP, msr_write(VP, msr, 0));
	}
}

TEST_MAIN(TEST(test_reset), TEST(test_config_bits), TEST(test_direct_needs_its_feature),
	  TEST(test_sint_0), TEST(test_one_shot), TEST(test_exact), TEST(test_past_and_never),
	  TEST(test_count_0), TEST(test_periodic), TEST(test_shortest_period),
	  TEST(test_bad_vector), TEST(test_held), TEST(test_tsc_writes), TEST(test_messages),
	  TEST(test_busy_slot), TEST(test_busy_slot_periodic), TEST(test_shared_slot),
	  TEST(test_synic_off), TEST(test_frequency), TEST(test_out_of_step),
	  TEST(test_held_for_a_frequency), TEST(test_off))
