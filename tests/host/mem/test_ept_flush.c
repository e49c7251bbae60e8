/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/ept_flush.c: who is asked to flush. test_many_vps.c has the waiting. */
#include "core/mem/ept.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

static struct fake_guest g;

/* The other CPU serves the request at once. */
static void serve(struct vp *vp)
{
	ept_flush_local(vp);
}

static void set_up(u32 generation)
{
	fake_guest_init(&g, 2, NULL);
	fake.kick = serve;
	g.p.flush_wanted = generation;
	for (u32 i = 0; i < 2; i++) {
		g.vp[i].flush_done = generation;
		g.vp[i].entered = true;
	}
}

static void test_every_generation_is_served(void)
{
	static const u32 generations[] = { 0,          1,          0x7ffffffe, 0x7fffffff,
					   0x80000000, 0xfffffffe, 0xffffffff };

	for (u32 i = 0; i < ARRAY_SIZE(generations); i++) {
		set_up(generations[i]);
		ept_flush(&g.p);
		EXPECT_EQ(generations[i] + 1, g.vp[0].flush_done);
		EXPECT_EQ(generations[i] + 1, g.vp[1].flush_done);
		EXPECT_EQ(1, fake.kick_count);
		EXPECT_EQ(2, fake.invepts);
	}
}

static void test_a_vp_that_never_entered_is_left_alone(void)
{
	set_up(5);
	g.vp[1].entered = false;
	ept_flush(&g.p);
	EXPECT_EQ(0, fake.kick_count);
	EXPECT_EQ(5, g.vp[1].flush_done);
}

TEST_MAIN(TEST(test_every_generation_is_served), TEST(test_a_vp_that_never_entered_is_left_alone))
