/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/remote_call.c: the kick of the fake port runs the other CPU, or does not. */
#include "tests/host/models/apic_vp.h"

#include "tests/host/fakes/fake.h"

static u32 calls;
static const struct vp *called_on;

static void count_call(struct vp *vp, void *arg)
{
	calls++;
	called_on = fake.cpu_vp;
	EXPECT_TRUE(vp == fake.cpu_vp);
	EXPECT_TRUE(arg == &calls);
}

static void init(void)
{
	apic_test_init(3, false);
	for (u32 i = 0; i < 3; i++)
		at.vp[i].entered = true;
	at.p.clock.tsc_hz = APIC_TEST_TSC_HZ;
	fake.tsc_step = 1000;
	fake.cpu_vp = &at.vp[0];
	calls = 0;
}

/* The other CPU comes out of its guest and looks at its work. */
static void run_kicked(struct vp *vp)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = vp;
	(void)vp_prepare_entry(vp);
	fake.cpu_vp = self;
}

static void test_runs_there_once(void)
{
	init();
	fake.kick = run_kicked;
	EXPECT_TRUE(remote_call(&at.vp[2], count_call, &calls));
	EXPECT_EQ(1, calls);
	EXPECT_TRUE(called_on == &at.vp[2]);
	run_kicked(&at.vp[2]);
	EXPECT_EQ(1, calls);
	EXPECT_TRUE(remote_call(&at.vp[2], count_call, &calls));
	EXPECT_EQ(2, calls);
}

static void test_own_cpu_needs_no_kick(void)
{
	init();
	EXPECT_TRUE(remote_call(&at.vp[0], count_call, &calls));
	EXPECT_EQ(1, calls);
	EXPECT_EQ(0, fake.kick_count);
}

static void test_a_sleeper_goes_on_sleeping(void)
{
	init();
	fake.kick = run_kicked;
	at.vp[1].state = VP_WAIT_SIPI;
	EXPECT_TRUE(remote_call(&at.vp[1], count_call, &calls));
	EXPECT_EQ(VP_WAIT_SIPI, at.vp[1].state);
}

static void test_who_does_not_answer_is_given_up(void)
{
	init();
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls));
	run_kicked(&at.vp[1]); /* too late: the call was withdrawn */
	EXPECT_EQ(0, calls);
	at.vp[1].entered = false;
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls));
	EXPECT_EQ(1, fake.kick_count);
}

/* The answer to an earlier call is not one to this. */
static void test_an_old_answer_does_not_count(void)
{
	init();
	fake.kick = run_kicked;
	EXPECT_TRUE(remote_call(&at.vp[1], count_call, &calls));
	fake.kick = NULL;
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls));
	EXPECT_EQ(1, calls);
}

static void want_flush(struct vp *vp)
{
	fake.kick = NULL;
	at.p.flush_wanted++;
	at.vp[0].work |= VP_WORK_FLUSH;
}

/* The CPU that is called may itself wait in ept_flush() for the caller. */
static void test_a_waiting_caller_flushes(void)
{
	init();
	fake.kick = want_flush;
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls));
	EXPECT_EQ(at.p.flush_wanted, at.vp[0].flush_done);
	EXPECT_GE(fake.invepts, 1);
}

static enum remote_when back_when;

static void call_back(struct vp *vp)
{
	struct vp *self = fake.cpu_vp;

	fake.kick = NULL;
	fake.cpu_vp = vp;
	/* What vp's remote_call() does up to its wait. */
	vp->remote.fn = count_call;
	vp->remote.arg = &calls;
	vp->remote.done = false;
	vp->remote.waits = back_when == REMOTE_BETWEEN_EXITS;
	self->remote.incoming[back_when] = &vp->remote;
	self->work |= VP_WORK_CALL;
	fake.cpu_vp = self;
}

/* Two that call each other: each serves the other while it waits. */
static void test_a_waiting_caller_serves(void)
{
	init();
	back_when = REMOTE_ANY;
	fake.kick = call_back;
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls)); /* it never answers itself */
	EXPECT_TRUE(at.vp[1].remote.done);
	EXPECT_EQ(1, calls);
	EXPECT_TRUE(called_on == &at.vp[0]);
}

static void test_between_exits_runs_there(void)
{
	init();
	fake.kick = run_kicked;
	EXPECT_EQ(ERR_NONE, remote_call_between(&at.vp[2], count_call, &calls));
	EXPECT_EQ(ERR_NONE, remote_call_between(&at.vp[0], count_call, &calls));
	EXPECT_EQ(2, calls);
	at.vp[1].entered = false;
	EXPECT_EQ(ERR_NODEV, remote_call_between(&at.vp[1], count_call, &calls));
	EXPECT_EQ(2, calls);
}

/* A VP that waits in the middle of an exit does not serve it there, only before it enters. */
static void test_between_exits_is_not_within_one(void)
{
	init();
	back_when = REMOTE_BETWEEN_EXITS;
	fake.kick = call_back;
	EXPECT_FALSE(remote_call(&at.vp[1], count_call, &calls));
	EXPECT_EQ(0, calls);
	(void)vp_prepare_entry(&at.vp[0]);
	EXPECT_EQ(1, calls);
	EXPECT_TRUE(at.vp[1].remote.done);
}

/* Two that call each other: the higher index gives way at once, the lower waits for its answer. */
static void test_between_exits_one_of_two_gives_way(void)
{
	u64 begin_tsc;

	init();
	back_when = REMOTE_BETWEEN_EXITS;
	fake.kick = call_back;
	fake.cpu_vp = &at.vp[2];
	begin_tsc = fake.tsc;
	EXPECT_EQ(ERR_AGAIN, remote_call_between(&at.vp[1], count_call, &calls));
	EXPECT_TRUE(at.vp[1].remote.incoming[REMOTE_BETWEEN_EXITS] == NULL);
	EXPECT_LE(fake.tsc - begin_tsc, 10 * fake.tsc_step);
	(void)vp_prepare_entry(&at.vp[2]);
	EXPECT_EQ(1, calls);

	init();
	fake.kick = call_back;
	begin_tsc = fake.tsc;
	EXPECT_EQ(ERR_AGAIN, remote_call_between(&at.vp[1], count_call, &calls));
	EXPECT_GE(fake.tsc - begin_tsc, APIC_TEST_TSC_HZ / 100); /* nobody answered */
}

TEST_MAIN(TEST(test_between_exits_runs_there), TEST(test_between_exits_is_not_within_one),
	  TEST(test_between_exits_one_of_two_gives_way), TEST(test_runs_there_once),
	  TEST(test_own_cpu_needs_no_kick), TEST(test_a_sleeper_goes_on_sleeping),
	  TEST(test_who_does_not_answer_is_given_up), TEST(test_an_old_answer_does_not_count),
	  TEST(test_a_waiting_caller_flushes), TEST(test_a_waiting_caller_serves))
