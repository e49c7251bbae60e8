/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/hold.c and park.c: what ends them. A step leaves a hold for one instruction; an area that
 * is no longer registered costs nothing at the next park. */
#include "core/vp/hold.h"

#include "core/vp/park.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

#define AREA (GUEST_RAM_BASE + 0x3040)

static struct fake_guest g;

/* The hold that does not end would ask for ever. */
static void fail_late(void)
{
	EXPECT_LE(fake.tsc, 100000000);
}

static void test_a_step_leaves_the_hold(void)
{
	fake_guest_init(&g, 1, NULL);
	fake.tsc_step = 1000000;
	fake.on_tsc = fail_late;
	vp_hold(&g.vp[0], HOLD_MONITOR);
	g.vp[0].step.active = true;
	hold_serve(&g.vp[0]);
	EXPECT_EQ(0, g.vp[0].counters.c[COUNTER_PAUSE]);
	EXPECT_FALSE(g.vp[0].hold.stopped);
}

static void test_a_forgotten_area_costs_no_flush(void)
{
	struct vp *vp = &g.vp[0];

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_STEAL_TIME, AREA | 1));
	EXPECT_EQ(MSR_OK, msr_write(vp, MSR_KVM_STEAL_TIME, 0));
	fake.invvpids = 0;
	vp_park(vp);
	vp_resume(vp);
	EXPECT_EQ(0, fake.invvpids);
	EXPECT_EQ(0, vp->counters.c[COUNTER_PARK_FLUSH]);
}

TEST_MAIN(TEST(test_a_step_leaves_the_hold), TEST(test_a_forgotten_area_costs_no_flush))
