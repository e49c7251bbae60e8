/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/hold.c: who holds a VP, what it serves meanwhile, what it does not. Timers of the held
 * VP are the rest of the world. */
#include "core/vp/hold.h"

#include "arch/x86/defs/vmcs.h"
#include "core/mem/ept.h"
#include "core/mon/monitor.h"
#include "core/vp/remote_call.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

#define SECOND GUEST_TSC_HZ

static struct fake_guest g;
static u32 calls, fired;

static void start(u32 vps)
{
	fake_guest_init(&g, vps, NULL);
	fake.tsc_step = SECOND / 1000; /* each look at the clock: 1 ms */
	for (u32 i = 0; i < vps; i++)
		g.vp[i].entered = true;
	calls = fired = 0;
}

static void let_go(struct vp *vp, struct timer *t)
{
	fired++;
	EXPECT_TRUE(vp->hold.stopped);
	vp_release(vp, HOLD_MONITOR);
}

static struct timer release_timer = { .fn = let_go };

static void release_in(struct vp *vp, u64 ticks)
{
	release_timer = (struct timer){ .fn = let_go };
	timer_set(vp, &release_timer, fake.tsc + ticks);
}

static void test_a_hold_lasts_until_its_release(void)
{
	start(2);
	vp_hold(&g.vp[0], HOLD_MONITOR);
	EXPECT_EQ(VP_WORK_HOLD, g.vp[0].work & VP_WORK_HOLD);
	EXPECT_EQ(0, fake.kick_count); /* its own CPU */
	release_in(&g.vp[0], SECOND / 10);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(1, fired);
	EXPECT_FALSE(g.vp[0].hold.stopped);
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_PAUSE]);
	EXPECT_GE(steal_total_ns(&g.vp[0]), 100000000);
	EXPECT_LE(steal_total_ns(&g.vp[0]), 130000000);
	vp_hold(&g.vp[1], HOLD_MONITOR);
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_TRUE(fake.kicked[0] == &g.vp[1]);
}

/* A release before the VP has stopped: it does not stop. */
static void test_a_hold_that_is_over_costs_nothing(void)
{
	start(1);
	vp_hold(&g.vp[0], HOLD_MONITOR);
	vp_release(&g.vp[0], HOLD_MONITOR);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_PAUSE]);
	EXPECT_EQ(0, steal_total_ns(&g.vp[0]));
}

/* Each owner lets go of its own hold only; twice the same is once. */
static void test_owners_nest(void)
{
	u64 until;

	start(1);
	partition_pause(&g.p, SECOND);
	until = fake.tsc + SECOND;
	vp_hold(&g.vp[0], HOLD_MONITOR);
	vp_hold(&g.vp[0], HOLD_MONITOR);
	release_in(&g.vp[0], SECOND / 10);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(1, fired);
	EXPECT_GE(fake.tsc, until);

	partition_pause(&g.p, SECOND / 10);
	vp_hold(&g.vp[0], HOLD_MONITOR);
	until = fake.tsc + SECOND;
	release_in(&g.vp[0], SECOND);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(2, fired);
	EXPECT_GE(fake.tsc, until);
	EXPECT_EQ(0, g.vp[0].hold.owners);
}

/* A pause is about VPs that run; a hold waits for the start of one that does not. */
static void test_who_waits_for_sipi(void)
{
	start(2);
	g.vp[1].state = VP_WAIT_SIPI;
	fake.cpu_vp = &g.vp[1];
	partition_pause(&g.p, SECOND);
	vp_hold(&g.vp[1], HOLD_MONITOR);
	(void)vp_prepare_entry(&g.vp[1]);
	EXPECT_EQ(0, g.vp[1].counters.c[COUNTER_PAUSE]);
	EXPECT_EQ(HOLD_MONITOR, g.vp[1].hold.owners);
	vlapic_post_sipi(&g.vp[1], 0x9a);
	release_in(&g.vp[1], SECOND / 10);
	(void)vp_prepare_entry(&g.vp[1]);
	EXPECT_EQ(1, fired);
	EXPECT_EQ(1, g.vp[1].counters.c[COUNTER_PAUSE]);
	EXPECT_EQ(0x9a000, fake.vmcs[VMCS_GUEST_CS_BASE]);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_RIP]);
}

static void count_call(struct vp *vp, void *arg)
{
	calls++;
	EXPECT_TRUE(vp->hold.stopped);
}

static enum remote_when when;

/* What another CPU does while the VP is held. */
static void ask(struct vp *vp, struct timer *t)
{
	struct vp *caller = &g.vp[1];

	caller->remote.fn = count_call;
	caller->remote.done = false;
	vp->remote.incoming[when] = &caller->remote;
	g.p.flush_wanted++;
	(void)__atomic_fetch_or(&vp->work, VP_WORK_CALL | VP_WORK_FLUSH, __ATOMIC_RELEASE);
	vlapic_post_init(vp);
}

/* Calls and flushes are served at once: their senders wait. INIT waits for the release. */
static void expect_a_held_vp_serves(enum remote_when how)
{
	static struct timer outside;
	static u8 msr_bitmap[4096];

	start(2);
	when = how;
	calls = 0;
	g.vp[0].ctx->msr_bitmap = msr_bitmap;
	g.vp[0].counters.c[COUNTER_INIT] = 0;
	outside = (struct timer){ .fn = ask };
	vp_hold(&g.vp[0], HOLD_MONITOR);
	timer_set(&g.vp[0], &outside, fake.tsc + SECOND / 20);
	release_in(&g.vp[0], SECOND / 10);
	hold_serve(&g.vp[0]);
	EXPECT_EQ(1, calls);
	EXPECT_TRUE(g.vp[1].remote.done);
	EXPECT_EQ(g.p.flush_wanted, g.vp[0].flush_done);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_INIT]);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_INIT]);
}

static void test_a_held_vp_serves_who_waits(void)
{
	expect_a_held_vp_serves(REMOTE_ANY);
	expect_a_held_vp_serves(REMOTE_BETWEEN_EXITS);
}

/* Work that the monitor does on a held VP is not stolen twice, and does not resume it. */
static void test_work_while_held(void)
{
	u64 begin_tsc;

	start(1);
	g.vp[0].hold.stopped = true;
	g.vp[0].park.parked = true;
	begin_tsc = park_begin_work(&g.vp[0]);
	fake.tsc += SECOND;
	park_end_work(&g.vp[0], STEAL_DUMP, begin_tsc);
	EXPECT_EQ(0, steal_total_ns(&g.vp[0]));
	EXPECT_TRUE(g.vp[0].park.parked);
}

/* The monitor holds the VP that it runs on, and still answers. */
static const char *typed;

static s32 receive(void)
{
	return *typed != '\0' ? (u8)*typed++ : -1;
}

static void more(struct vp *vp, struct timer *t)
{
	EXPECT_TRUE(vp->hold.stopped);
	typed = "v:release 0\r";
}

static void test_the_monitor_holds_its_own_vp(void)
{
	static struct timer later;

	start(2);
	later = (struct timer){ .fn = more };
	monitor_start(&g.vp[0], receive);
	typed = ":hold\r";
	timer_set(&g.vp[0], &later, fake.tsc + SECOND);
	fake.tsc += SECOND / 2;
	timer_run(&g.vp[0], fake.tsc);
	EXPECT_CONTAINS(fake.console, "monitor: stopping 2 of 2 VPs\n");
	EXPECT_EQ(HOLD_MONITOR, g.vp[1].hold.owners);
	(void)vp_prepare_entry(&g.vp[0]);
	EXPECT_CONTAINS(fake.console, "vp0: APIC ID 0, running, held by the monitor, stopped\n"
				      "vp1: APIC ID 2, running, held by the monitor\n");
	EXPECT_CONTAINS(fake.console, "monitor: 1 VP released\n");
	EXPECT_EQ(0, g.vp[0].hold.owners);
	EXPECT_EQ(HOLD_MONITOR, g.vp[1].hold.owners);
}

TEST_MAIN(TEST(test_a_hold_lasts_until_its_release), TEST(test_a_hold_that_is_over_costs_nothing),
	  TEST(test_owners_nest), TEST(test_who_waits_for_sipi),
	  TEST(test_a_held_vp_serves_who_waits), TEST(test_work_while_held),
	  TEST(test_the_monitor_holds_its_own_vp))
