/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/vp/tlb_flush.c and what core/vp/park.c has to do with it: who is kicked, who is not, for
 * whom the sender waits. test_many_vps.c has as many VPs as there can be.
 */
#include "tests/host/harness.h"

#include "core/mem/ept.h"
#include "core/vp/hold.h"
#include "core/vp/page_wait.h"
#include "core/vp/tlb_flush.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static struct vp_mask mask(u64 bits)
{
	return (struct vp_mask){ { bits } };
}

/* No feature that has a hand in parking: what it does on its own must not be needed. */
static void no_features(struct partition *p)
{
	p->config.cpu_features = 0;
}

static void start(u32 vps)
{
	fake_guest_init(&g, vps, no_features);
	for (u32 i = 0; i < vps; i++) {
		g.vp[i].entered = true;
		g.vp[i].work = 0;
	}
	fake.cpu_vp = &g.vp[0];
	fake.invvpids = 0;
}

static void flush(u64 bits)
{
	struct vp_mask m = mask(bits);

	tlb_flush(&g.vp[0], &m);
}

static bool is_asked(u32 vp)
{
	return (g.vp[vp].work & VP_WORK_TLB) != 0;
}

/* @vp's CPU on its way back to the guest. */
static void enter(struct vp *vp)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = vp;
	(void)vp_prepare_entry(vp);
	fake.cpu_vp = self;
}

static void test_who_runs_is_kicked_once(void)
{
	start(4);
	flush(0x6);
	EXPECT_EQ(2, fake.kick_count);
	EXPECT_TRUE(fake.kicked[0] == &g.vp[1] && fake.kicked[1] == &g.vp[2]);
	EXPECT_TRUE(is_asked(1) && is_asked(2) && !is_asked(0) && !is_asked(3));
	EXPECT_EQ(0, fake.invvpids);
	for (u32 i = 1; i < 3; i++) {
		enter(&g.vp[i]);
		EXPECT_EQ(i, fake.invvpids);
		EXPECT_EQ(g.vp[i].guest_ctx.vpid, fake.invvpid_vpid);
		EXPECT_FALSE(is_asked(i));
		EXPECT_EQ(1, g.vp[i].counters.c[COUNTER_TLB_FLUSH]);
	}
	EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_KICK_SENT]);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_TLB_FLUSH_LATER]);
}

static void test_the_caller_flushes_at_once(void)
{
	start(2);
	flush(0x1);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_EQ(g.vp[0].guest_ctx.vpid, fake.invvpid_vpid);
	EXPECT_EQ(0, fake.kick_count);
	EXPECT_EQ(0, g.vp[0].work | g.vp[1].work);
}

static void test_who_does_not_exist_is_ignored(void)
{
	struct vp_mask all;

	start(2);
	vp_mask_set_all(&all);
	tlb_flush(&g.vp[0], &all);
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_EQ(1, fake.invvpids);
	flush(0);
	flush(~3ull);
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_EQ(1, fake.invvpids);
}

static void test_who_never_entered_is_not_kicked(void)
{
	start(2);
	g.vp[1].entered = false;
	flush(0x2);
	EXPECT_EQ(0, fake.kick_count);
}

/* Two VPs; the second one, which is returned, has executed HLT. */
static struct vp *start_asleep(void)
{
	struct vp *vp = &g.vp[1];

	start(2);
	vp->state = VP_HALTED;
	vp_set_work(vp, VP_WORK_EVENT);
	enter(vp);
	return vp;
}

/* Asleep in HLT with nothing to wake for: the flush waits for it, without an IPI. */
static void test_who_sleeps_flushes_when_it_wakes(void)
{
	struct vp *vp = start_asleep();

	EXPECT_TRUE(vp->asleep && vp->park.parked);
	for (u32 i = 1; i <= 2; i++) {
		flush(0x2);
		EXPECT_EQ(0, fake.kick_count);
		EXPECT_EQ(i, g.vp[0].counters.c[COUNTER_TLB_FLUSH_LATER]);
		EXPECT_EQ(0, fake.invvpids);
	}
	EXPECT_TRUE(vp_unhalt(vp));
	enter(vp);
	EXPECT_EQ(1, fake.invvpids); /* both at once */
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_FALSE(vp->park.parked);
	fake.kick_count = 0;
	flush(0x2);
	EXPECT_EQ(1, fake.kick_count);
}

/* An exit that does not end the sleep does the flush; the next one is left to it again. */
static void test_who_sleeps_on_is_still_parked(void)
{
	struct vp *vp = start_asleep();

	flush(0x2);
	vp_left_hlt(vp);
	enter(vp);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_TRUE(vp->asleep && vp->park.parked);
	flush(0x2);
	EXPECT_EQ(0, fake.kick_count);
	EXPECT_TRUE(is_asked(1));
}

/* INIT and SIPI end a sleep, too. */
static void test_a_restart_ends_the_park(void)
{
	struct vp *vp;

	start(2);
	vp = &g.vp[1];
	vlapic_post_init(vp);
	enter(vp);
	EXPECT_EQ(VP_WAIT_SIPI, vp->state);
	EXPECT_TRUE(vp->park.parked);
	vlapic_post_sipi(vp, 8);
	enter(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_FALSE(vp->park.parked);
	vp_park(&g.vp[0]); /* VP 0 runs on after an INIT */
	g.vp[0].state = VP_HALTED;
	vlapic_post_init(&g.vp[0]);
	enter(&g.vp[0]);
	EXPECT_EQ(VP_RUNNING, g.vp[0].state);
	EXPECT_FALSE(g.vp[0].park.parked);
}

static u32 flushes;

/* VP 0, while VP 1 is in root for long. */
static void flush_the_parked(void)
{
	if (!g.vp[1].park.parked || flushes != 0)
		return;
	flushes++;
	fake.cpu_vp = &g.vp[0];
	flush(0x2);
	fake.cpu_vp = &g.vp[1];
}

static void expect_flushed_later(void)
{
	EXPECT_EQ(1, flushes);
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_TLB_FLUSH_LATER]);
	EXPECT_EQ(0, fake.kick_count);
	EXPECT_FALSE(g.vp[1].park.parked);
	fake.on_tsc = NULL;
	enter(&g.vp[1]);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_FALSE(is_asked(1));
}

/* Held, or waiting for a page. The sender does not wait for the end of that. */
static void test_who_is_kept_in_root_is_not_kicked(void)
{
	start(2);
	flushes = 0;
	fake.tsc_step = GUEST_TSC_HZ / 1000;
	partition_pause(&g.p, GUEST_TSC_HZ / 10);
	fake.kick_count = 0;
	fake.cpu_vp = &g.vp[1];
	fake.on_tsc = flush_the_parked;
	(void)vp_prepare_entry(&g.vp[1]);
	EXPECT_EQ(1, g.vp[1].counters.c[COUNTER_PAUSE]);
	expect_flushed_later();

	start(2);
	flushes = 0;
	fake.tsc_step = GUEST_TSC_HZ / 1000000;
	fake.cpu_vp = &g.vp[1];
	g.vp[1].deadline_tsc = ~0ull;
	fake.on_tsc = flush_the_parked;
	vp_wait_page(&g.vp[1]);
	expect_flushed_later();
}

/* --- the wait --- */

static struct vp *in_flight;
static u32 rounds;

/* The NMI is on its way. */
static void send_nmi(struct vp *vp)
{
	vp->kicked = 1;
	in_flight = vp;
}

/* What the sender does while it waits. In the third round the NMI arrives. */
static void one_round(struct vp *vp, void *unused)
{
	EXPECT_TRUE(vp == &g.vp[0]);
	if (++rounds == 3)
		vp_nmi_received(in_flight);
	else
		vp->remote.incoming[REMOTE_ANY] = &g.vp[1].remote;
}

static void call_the_sender(void)
{
	rounds = 0;
	fake.kick = send_nmi;
	g.vp[1].remote.fn = one_round;
	g.vp[0].remote.incoming[REMOTE_ANY] = &g.vp[1].remote;
	g.vp[0].work = VP_WORK_CALL;
}

/* It waits for the NMI and not for the flush; and serves calls for itself meanwhile. */
static void test_the_sender_waits_until_the_guest_has_stopped(void)
{
	start(2);
	call_the_sender();
	flush(0x2);
	EXPECT_EQ(3, rounds);
	EXPECT_EQ(0, g.vp[1].kicked);
	EXPECT_TRUE(is_asked(1));
	EXPECT_EQ(0, fake.invvpids);
}

static void take_the_work(struct vp *vp, void *unused)
{
	rounds++;
	enter(in_flight);
}

/* The target looked for work by itself: the NMI may come whenever it likes. */
static void test_work_taken_is_enough(void)
{
	start(2);
	call_the_sender();
	g.vp[1].remote.fn = take_the_work;
	flush(0x2);
	EXPECT_EQ(1, rounds);
	EXPECT_EQ(1, g.vp[1].kicked);
	EXPECT_EQ(1, fake.invvpids);
}

/* The NMI of an earlier kick is on its way: no second one, but the sender waits for it. */
static void test_one_nmi_does_for_two(void)
{
	start(2);
	call_the_sender();
	g.vp[1].kicked = 1;
	in_flight = &g.vp[1];
	flush(0x2);
	EXPECT_EQ(3, rounds);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_KICK_SENT]);
}

/* Somebody changes the EPT and waits for the sender. */
static void test_the_sender_flushes_for_the_ept(void)
{
	start(2);
	call_the_sender();
	g.p.flush_wanted = g.vp[0].flush_done + 1;
	g.vp[0].work |= VP_WORK_FLUSH;
	flush(0x2);
	EXPECT_EQ(g.p.flush_wanted, g.vp[0].flush_done);
}

/* The target flushes the sender's TLB at the same time: root takes its NMI. */
static void flush_back(struct vp *vp)
{
	struct vp_mask back = mask(0x1);

	vp->kicked = 1;
	if (vp == &g.vp[0])
		return vp_nmi_received(vp);
	fake.cpu_vp = vp;
	tlb_flush(vp, &back);
	fake.cpu_vp = &g.vp[0];
	vp_nmi_received(vp);
}

static void test_two_flush_each_other(void)
{
	start(2);
	fake.kick = flush_back;
	flush(0x2);
	EXPECT_EQ(2, fake.kick_count);
	EXPECT_TRUE(is_asked(0) && is_asked(1));
	enter(&g.vp[0]);
	enter(&g.vp[1]);
	EXPECT_EQ(2, fake.invvpids);
}

TEST_MAIN(TEST(test_who_runs_is_kicked_once), TEST(test_the_caller_flushes_at_once),
	  TEST(test_who_does_not_exist_is_ignored), TEST(test_who_never_entered_is_not_kicked),
	  TEST(test_who_sleeps_flushes_when_it_wakes), TEST(test_who_sleeps_on_is_still_parked),
	  TEST(test_a_restart_ends_the_park), TEST(test_who_is_kept_in_root_is_not_kicked),
	  TEST(test_the_sender_waits_until_the_guest_has_stopped), TEST(test_work_taken_is_enough),
	  TEST(test_one_nmi_does_for_two), TEST(test_the_sender_flushes_for_the_ept),
	  TEST(test_two_flush_each_other))
