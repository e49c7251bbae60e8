/* SPDX-License-Identifier: BSD-2-Clause */
/* core/time/timer.c: order, cancellation from callbacks, bounds, against a simple model. */
#include "core/time/timer.h"

#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_vp.h"

#define VP     (&at.vp[0])
#define TIMERS 6u

static struct timer timers[TIMERS];
static u64 now_tsc;
static u32 ran[TIMERS], order[64], runs;
static void (*on_run)(u32 nr);

static void run(struct vp *vp, struct timer *t)
{
	u32 nr = (u32)(t - timers);

	EXPECT_FALSE(t->queued);
	EXPECT_TRUE(t->deadline_tsc <= now_tsc);
	ran[nr]++;
	order[runs++ % ARRAY_SIZE(order)] = nr;
	if (on_run != NULL)
		on_run(nr);
}

static void set_up(void)
{
	apic_test_init(1, false);
	memset(timers, 0, sizeof(timers));
	memset(ran, 0, sizeof(ran));
	runs = 0;
	on_run = NULL;
	for (u32 i = 0; i < TIMERS; i++)
		timers[i].fn = run;
}

static void run_at(u64 tsc)
{
	now_tsc = tsc;
	timer_run(VP, tsc);
}

static void test_deadline_is_the_earliest(void)
{
	set_up();
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	timer_set(VP, &timers[0], 500);
	timer_set(VP, &timers[1], 300);
	timer_set(VP, &timers[2], 400);
	EXPECT_EQ(300, VP->deadline_tsc);
	timer_set(VP, &timers[1], 450); /* the head moves back */
	EXPECT_EQ(400, VP->deadline_tsc);
	timer_set(VP, &timers[2], 100); /* the head moves on */
	EXPECT_EQ(100, VP->deadline_tsc);
	timer_cancel(VP, &timers[2]);
	EXPECT_EQ(450, VP->deadline_tsc);
	timer_cancel(VP, &timers[2]); /* twice is harmless */
	timer_cancel(VP, &timers[0]);
	timer_cancel(VP, &timers[1]);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
}

static void test_due_timers_run_once_in_order(void)
{
	set_up();
	timer_set(VP, &timers[0], 300);
	timer_set(VP, &timers[1], 100);
	timer_set(VP, &timers[2], 300);
	timer_set(VP, &timers[3], 301);
	run_at(300);
	EXPECT_EQ(3, runs);
	EXPECT_EQ(1, order[0]);
	EXPECT_EQ(0, order[1]); /* equal deadlines: first set, first run */
	EXPECT_EQ(2, order[2]);
	EXPECT_EQ(301, VP->deadline_tsc);
	run_at(300);
	EXPECT_EQ(3, runs);
}

/* The same for the timer that is the first already: set to the next one's deadline it runs behind.
 */
static void test_the_first_that_moves_runs_behind_its_equals(void)
{
	set_up();
	timer_set(VP, &timers[0], 100);
	timer_set(VP, &timers[1], 200);
	timer_set(VP, &timers[0], 200);
	EXPECT_EQ(200, VP->deadline_tsc);
	run_at(200);
	EXPECT_EQ(2, runs);
	EXPECT_EQ(1, order[0]);
	EXPECT_EQ(0, order[1]);
}

static void cancel_next(u32 nr)
{
	timer_cancel(VP, &timers[1]);
}

static void test_callback_may_cancel_a_due_timer(void)
{
	set_up();
	on_run = cancel_next;
	timer_set(VP, &timers[0], 100);
	timer_set(VP, &timers[1], 200);
	run_at(1000);
	EXPECT_EQ(1, ran[0]);
	EXPECT_EQ(0, ran[1]);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
}

static void set_again_in_the_past(u32 nr)
{
	timer_set(VP, &timers[nr], 1);
}

static void test_timer_that_is_always_due_ends_the_call(void)
{
	set_up();
	on_run = set_again_in_the_past;
	timer_set(VP, &timers[0], 100);
	timer_set(VP, &timers[1], 100);
	run_at(1000);
	EXPECT_EQ(1, ran[0]);
	EXPECT_EQ(1, ran[1]);
	EXPECT_EQ(1, VP->deadline_tsc); /* still due: the caller sees it */
	run_at(1000);
	EXPECT_EQ(2, ran[0]);
}

static void test_random_against_model(void)
{
	bool armed[TIMERS] = { false };
	u64 deadline[TIMERS];
	u64 tsc = 0;

	set_up();
	for (u32 step = 0; step < 20000; step++) {
		u32 nr = (u32)(test_rng() % TIMERS);
		u64 first = TIMER_NEVER;
		u32 expected[TIMERS] = { 0 };

		switch (test_rng() % 4) {
		case 0:
		case 1:
			deadline[nr] = tsc + test_rng() % 100;
			armed[nr] = true;
			timer_set(VP, &timers[nr], deadline[nr]);
			break;
		case 2:
			armed[nr] = false;
			timer_cancel(VP, &timers[nr]);
			break;
		default:
			tsc += test_rng() % 50;
			memset(ran, 0, sizeof(ran));
			run_at(tsc);
			for (u32 i = 0; i < TIMERS; i++) {
				expected[i] = armed[i] && deadline[i] <= tsc;
				armed[i] = armed[i] && !expected[i];
				EXPECT_EQ(expected[i], ran[i]);
			}
			break;
		}
		for (u32 i = 0; i < TIMERS; i++)
			if (armed[i] && deadline[i] < first)
				first = deadline[i];
		EXPECT_EQ(first, VP->deadline_tsc);
	}
}

/* Work that comes around is looked for when a timer runs; 0: there is none. */
static void test_periodic_work_is_asked_for(void)
{
	static const struct {
		s64 periodic;
		bool due;
	} rows[] = { { -1, true }, { 0, true }, { 1, false } };

	for (u32 i = 0; i <= ARRAY_SIZE(rows); i++) {
		bool none = i == ARRAY_SIZE(rows);

		set_up();
		timer_set(VP, &timers[0], fake.tsc);
		VP->periodic_tsc = none ? 0 : fake.tsc + (u64)rows[i].periodic;
		VP->work = 0;
		run_at(fake.tsc);
		EXPECT_EQ(1, ran[0]);
		EXPECT_EQ(!none && rows[i].due, (VP->work & VP_WORK_PERIODIC) != 0);
	}
}

TEST_MAIN(TEST(test_periodic_work_is_asked_for), TEST(test_deadline_is_the_earliest),
	  TEST(test_due_timers_run_once_in_order),
	  TEST(test_the_first_that_moves_runs_behind_its_equals),
	  TEST(test_callback_may_cancel_a_due_timer),
	  TEST(test_timer_that_is_always_due_ends_the_call), TEST(test_random_against_model))
