/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/stimer.c: a random guest against a model of its four timers, written down again from
 * the TLFS and the choices of docs/hyperv.md.
 */
#include "tests/host/hv/stimer_sim.h"

struct model {
	u64 config, count;
	bool running;
	bool waits, full; /* for its slot, SINT i + 1; that is full: no other timer uses it */
	u64 expiration, due;
};

static struct model m[4];

static u64 model_period(const struct model *t)
{
	return t->count > SHORTEST ? t->count : SHORTEST;
}

/* CONFIG or COUNT was written: it begins anew. */
static void model_start(struct model *t, u64 time)
{
	if ((t->config & (DIRECT | SINT(15))) == 0)
		t->config &= ~ENABLE;
	t->running = (t->config & ENABLE) && t->count != 0;
	t->waits = false;
	t->expiration = t->count;
	if (t->config & PERIODIC)
		t->expiration = time + model_period(t);
	if (t->expiration < time && (t->config & PERIODIC))
		t->expiration = ~0ull;
	t->due = t->expiration;
}

static void model_sent(struct model *t, u64 time)
{
	u64 period = model_period(t), missed;

	if (!(t->config & PERIODIC)) {
		t->config &= ~ENABLE;
		t->running = false;
		return;
	}
	missed = (time - t->expiration) / period;
	t->expiration += period;
	if (missed == 0 || (t->config & LAZY)) {
		t->expiration += missed * period;
		t->due = t->expiration;
		return;
	}
	if (missed > 3)
		t->expiration += (missed - 3) * period;
	t->due = time + period / 4;
}

/* Does timer @i send now? @again: also if it waits. */
static bool model_sends(u32 i, u64 time, bool again)
{
	struct model *t = &m[i];

	if (!t->running || t->due > time || (t->waits && !again))
		return false;
	t->waits = !(t->config & DIRECT) && t->full;
	t->full |= !(t->config & DIRECT);
	return !t->waits;
}

/* Each EOI of a watched vector looks at all slots: one that waits may be sent. */
static void judge_once(bool held, bool again)
{
	u64 time = now();

	for (u32 i = 4; i-- > 0;) { /* the highest vector first */
		bool sent = took(VEC(i));
		bool sends = !held && model_sends(i, time, again || sent);

		EXPECT_EQ(sends, sent);
		if (m[i].waits)
			EXPECT_EQ(1, slot(i + 1)->flags);
		if (sends &&
		    !(m[i].config & DIRECT)) /* the flag may be set: it waited, or was set anew */
			expect_tick(i, i + 1, m[i].expiration);
		if (sends)
			model_sent(&m[i], time);
		EXPECT_EQ(m[i].config, get(CONFIG(i)));
		EXPECT_EQ(m[i].count, get(COUNT_OF(i)));
	}
}

/* All that was sent, against the model. @held: nothing. */
static void judge(bool held, bool again)
{
	judge_once(held, again);
	for (u32 i = 0; i < 4 && vlapic_has_request(VP); i++)
		judge_once(held, false);
	EXPECT_FALSE(vlapic_has_request(VP));
}

static void run_for(u64 ticks, bool held)
{
	u64 end_tsc = fake.tsc + ticks;

	for (u32 n = 0; VP->deadline_tsc <= end_tsc && n < 300; n++) {
		fake.tsc = umax64(fake.tsc + 1, VP->deadline_tsc);
		timer_run(VP, fake.tsc);
		judge(held, false);
	}
	if (VP->deadline_tsc > end_tsc)
		fake.tsc = end_tsc;
}

static u64 random_count(void)
{
	switch (test_rng() % 6) {
	case 0:
		return 0;
	case 1:
		return test_rng() % (now() + 1);
	case 2:
		return test_rng();
	case 3:
		return test_rng() % (20 * MS);
	default:
		return now() + test_rng() % (50 * MS);
	}
}

static void random_write(void)
{
	u32 i = test_rng() % 4;
	struct model *t = &m[i];

	if (test_rng() % 2) {
		u64 reserved = test_rng() & ~0xf1fffull;

		t->config = test_rng() % 16 | VECTOR(VEC(i));
		t->config |= test_rng() % 8 == 0 ? 0 : test_rng() % 2 ? DIRECT : SINT(i + 1);
		set(CONFIG(i), t->config | reserved);
	} else {
		t->count = random_count();
		if (t->count == 0)
			t->config &= ~ENABLE;
		else if (t->config & AUTO)
			t->config |= ENABLE;
		set(COUNT_OF(i), t->count);
	}
	model_start(t, now());
}

/* Empty some slots, with and without EOM. */
static void random_ends(void)
{
	for (u32 i = 0; i < 4; i++) {
		if (test_rng() % 2)
			slot(i + 1)->type = m[i].full = 0;
	}
	if (test_rng() % 4) {
		set(EOM, 0);
		judge(false, true);
	}
}

static void random_step(void)
{
	switch (test_rng() % 10) {
	case 0:
	case 1:
	case 2:
		random_write();
		break;
	case 3:
		VP->hold.stopped = true;
		run_for(test_rng() % (100 * MS) * TICKS, true);
		VP->hold.stopped = false;
		g.p.hooks->paused(VP);
		judge(false, true);
		break;
	case 4:
		if (test_rng() % 16 == 0) {
			hv_vp_reset(VP, true);
			memset(m, 0, sizeof(m));
			synic_on();
		}
		break;
	case 5:
	case 6:
		random_ends();
		break;
	default:
		run_for(test_rng() % (30 * MS) * TICKS, false);
		break;
	}
	/* what is due now is sent before the next entry, and nothing else */
	timer_run(VP, fake.tsc);
	judge(false, false);
}

static void test_random(void)
{
	for (u32 round = 0; round < 50; round++) {
		start();
		synic_on();
		memset(m, 0, sizeof(m));
		for (u32 i = 0; i < 200; i++)
			random_step();
	}
}

TEST_MAIN(TEST(test_random))
