/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/kvm/steal_time.c and core/vp/park.c, core/vp/hold.c, with the ABI restated from KVM's
 * msr.rst. */
#include "tests/host/harness.h"

#include "core/hw.h"
#include "core/mem/shared_area.h"
#include "core/vp/hold.h"
#include "hv/hv.h"
#include "hv/kvm/kvm_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

#define PAGE_GPA (GUEST_RAM_BASE + 0x3040)

static struct kvm_steal_time page(u32 vp)
{
	struct kvm_steal_time s;

	memcpy(&s, g.ram + (PAGE_GPA - GUEST_RAM_BASE) + vp * 64, sizeof(s));
	return s;
}

static u8 *byte_of(u32 vp)
{
	return g.ram + (PAGE_GPA - GUEST_RAM_BASE) + vp * 64 + 16;
}

static void start(u32 vps)
{
	fake_guest_init(&g, vps, NULL);
	for (u32 i = 0; i < vps; i++)
		EXPECT_EQ(MSR_OK, msr_write(&g.vp[i], MSR_KVM_STEAL_TIME, (PAGE_GPA + i * 64) | 1));
}

static u64 get(u32 vp)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[vp], MSR_KVM_STEAL_TIME, &val));
	return val;
}

static void steal(u32 vp, u64 ns, enum steal_cause cause)
{
	u64 begin_tsc = steal_begin();

	fake.tsc += clock_ns_to_tsc(&g.p.clock, ns);
	steal_end(&g.vp[vp], cause, begin_tsc);
}

static void test_msr_rules(void)
{
	start(1);
	EXPECT_EQ(PAGE_GPA | 1, get(0));
	for (u32 bit = 1; bit <= 5; bit++) {
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, BIT64(bit)));
		EXPECT_EQ(MSR_GP,
			  msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, PAGE_GPA | BIT64(bit) | 1));
		EXPECT_EQ(PAGE_GPA | 1, get(0));
	}
	/* A bad address is accepted and inactive. */
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, 0xfee00001));
	EXPECT_EQ(0xfee00001, get(0));
	steal(0, 1000, STEAL_CALL);
	EXPECT_EQ(0, page(0).steal);
}

static void test_count_is_what_was_stolen(void)
{
	struct kvm_steal_time s;

	start(2);
	s = page(0);
	EXPECT_EQ(0, s.steal | s.flags | s.preempted);
	EXPECT_EQ(0, s.version & 1);
	steal(0, 3000000, STEAL_PAUSE);
	steal(0, 1000000, STEAL_DUMP);
	EXPECT_NE(s.version, page(0).version);
	EXPECT_EQ(0, page(0).version & 1);
	EXPECT_GE(page(0).steal, 3999990);
	EXPECT_LE(page(0).steal, 4000010);
	EXPECT_EQ(0, page(1).steal);
	/* Who does not want to run loses nothing. */
	s = page(0);
	g.vp[0].state = VP_HALTED;
	steal(0, 5000000, STEAL_PAUSE);
	EXPECT_EQ(s.steal, page(0).steal);
}

/* What was stolen before is not the guest's to see; what its page holds goes on. */
static void test_registration_counts_from_the_page(void)
{
	fake_guest_init(&g, 1, NULL);
	steal(0, 7000000, STEAL_PAUSE);
	g.ram[PAGE_GPA - GUEST_RAM_BASE] = 100;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, PAGE_GPA | 1));
	EXPECT_EQ(100, page(0).steal);
	steal(0, 2000, STEAL_CALL);
	EXPECT_GE(page(0).steal, 2099);
	EXPECT_LE(page(0).steal, 2101);
}

/* Registered while the page was not RAM, which it then became. */
static void test_page_that_becomes_good(void)
{
	gpa_t at = gpa(PAGE_GPA & ~0xfffull);

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(ERR_NONE, ept_unmap(&g.p.ept, at, 4096));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, PAGE_GPA | 1));
	steal(0, 5000, STEAL_CALL);
	vp_park(&g.vp[0]);
	vp_resume(&g.vp[0]);
	EXPECT_EQ(0, page(0).steal | page(0).version | page(0).preempted);
	EXPECT_EQ(ERR_NONE, ept_map(&g.p.ept, at, hpa(at.v), 4096, EPT_RWX, MT_WB));
	partition_map_changed(&g.p);
	steal(0, 2000, STEAL_CALL);
	EXPECT_GE(page(0).steal, 6998); /* since the registration */
	EXPECT_LE(page(0).steal, 7002);
	vp_park(&g.vp[0]);
	EXPECT_EQ(KVM_VCPU_PREEMPTED, page(0).preempted);
	vp_resume(&g.vp[0]);
	EXPECT_EQ(0, page(0).preempted);
}

static void test_disable_and_reset_stop_writes(void)
{
	for (int how = 0; how < 3; how++) {
		static u8 before[GUEST_RAM_BYTES];

		start(1);
		if (how == 0)
			EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, 0));
		else
			hv_vp_reset(&g.vp[0], how == 1);
		EXPECT_EQ(0, get(0));
		memcpy(before, g.ram, sizeof(before));
		steal(0, 1000, STEAL_CALL);
		vp_park(&g.vp[0]);
		vp_resume(&g.vp[0]);
		EXPECT_MEMEQ(before, g.ram, sizeof(before));
	}
}

static void test_park_and_resume(void)
{
	start(2);
	vp_park(&g.vp[1]);
	EXPECT_EQ(KVM_VCPU_PREEMPTED, page(1).preempted);
	EXPECT_EQ(0, page(0).preempted);
	vp_park(&g.vp[1]); /* twice: what was asked for meanwhile stays */
	*byte_of(1) |= KVM_VCPU_FLUSH_TLB;
	vp_park(&g.vp[1]);
	EXPECT_EQ(3, page(1).preempted);
	EXPECT_EQ(0, fake.invvpids);
	vp_resume(&g.vp[1]);
	EXPECT_EQ(0, page(1).preempted);
	EXPECT_EQ(1, fake.invvpids);
	EXPECT_EQ(1, g.vp[1].counters.c[COUNTER_PARK_FLUSH]);
	vp_resume(&g.vp[1]); /* was not parked */
	vp_park(&g.vp[1]);
	vp_resume(&g.vp[1]); /* nobody asked */
	EXPECT_EQ(1, fake.invvpids);
}

static void expect_parked(void)
{
	EXPECT_TRUE(g.vp[0].park.parked);
	EXPECT_EQ(KVM_VCPU_PREEMPTED, page(0).preempted);
	EXPECT_EQ(0, page(0).steal);
}

/* Whoever sleeps, or is held, stays parked when a piece of work in root ends. */
static void test_work_does_not_wake_who_sleeps(void)
{
	for (int held = 0; held < 2; held++) {
		u64 begin_tsc;

		start(1);
		g.vp[0].state = held ? VP_RUNNING : VP_HALTED;
		g.vp[0].hold.stopped = held;
		vp_park(&g.vp[0]);
		begin_tsc = park_begin_work(&g.vp[0]);
		fake.tsc += 1000000;
		park_end_work(&g.vp[0], STEAL_DUMP, begin_tsc);
		expect_parked();
	}
}

static void test_pause_does_not_wake_who_sleeps(void)
{
	start(1);
	g.vp[0].state = VP_HALTED;
	vp_park(&g.vp[0]);
	fake.tsc_step = GUEST_TSC_HZ / 1000;
	partition_pause(&g.p, GUEST_TSC_HZ / 10);
	hold_serve(&g.vp[0]);
	EXPECT_EQ(1, g.vp[0].counters.c[COUNTER_PAUSE]);
	expect_parked();
}

/* A kernel that was stopped while parked left the byte set; the next one registers the page again
 * and runs. */
static void test_an_old_preempted_is_cleared(void)
{
	fake_guest_init(&g, 1, NULL);
	*byte_of(0) = KVM_VCPU_PREEMPTED | KVM_VCPU_FLUSH_TLB;
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_STEAL_TIME, PAGE_GPA | 1));
	EXPECT_EQ(0, page(0).preempted);
}

/* The page went away while the VP was parked: what was asked for there is lost, so flush. */
static void test_page_lost_while_parked_flushes(void)
{
	start(1);
	vp_park(&g.vp[0]);
	EXPECT_EQ(ERR_NONE, ept_unmap(&g.p.ept, gpa(PAGE_GPA & ~0xfffull), 4096));
	partition_map_changed(&g.p);
	vp_resume(&g.vp[0]);
	EXPECT_EQ(1, fake.invvpids);
}

static void test_pause_tells_clock_and_steal(void)
{
	struct pvclock_vcpu_time_info t;
	u64 clock_gpa = GUEST_RAM_BASE + 0x2000;

	start(1);
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], MSR_KVM_SYSTEM_TIME_NEW, clock_gpa | 1));
	fake.tsc_step = GUEST_TSC_HZ / 1000; /* each reading: 1 ms */
	partition_pause(&g.p, GUEST_TSC_HZ / 10);
	EXPECT_NE(0, g.vp[0].work & VP_WORK_HOLD);
	hold_serve(&g.vp[0]);
	fake.tsc_step = 0;
	memcpy(&t, g.ram + 0x2000, sizeof(t));
	EXPECT_NE(0, t.flags & PVCLOCK_GUEST_STOPPED);
	EXPECT_GE(page(0).steal, 95000000);
	EXPECT_LE(page(0).steal, 110000000);
	EXPECT_EQ(0, page(0).preempted);
	/* The guest clears the flag; it does not come back by itself. */
	g.ram[0x2000 + 29] &= (u8)~PVCLOCK_GUEST_STOPPED;
	g.p.hooks->clock_changed(&g.p);
	EXPECT_EQ(0, g.ram[0x2000 + 29] & PVCLOCK_GUEST_STOPPED);
}

/* Work that can wait stops for a VP that is wanted, and only then. */
static void test_wanted_work_stops(void)
{
	u64 begin_tsc;

	start(1);
	park_want(&g.vp[0]); /* it does none */
	begin_tsc = park_begin_work(&g.vp[0]);
	EXPECT_FALSE(park_is_wanted(&g.vp[0]));
	EXPECT_EQ(KVM_VCPU_PREEMPTED, page(0).preempted);
	park_want(&g.vp[0]);
	EXPECT_TRUE(park_is_wanted(&g.vp[0]));
	fake.tsc += GUEST_TSC_HZ / 1000;
	park_end_work(&g.vp[0], STEAL_DUMP, begin_tsc);
	EXPECT_EQ(0, page(0).preempted);
	EXPECT_GE(page(0).steal, 999000);
}

TEST_MAIN(TEST(test_msr_rules), TEST(test_count_is_what_was_stolen),
	  TEST(test_registration_counts_from_the_page), TEST(test_page_that_becomes_good),
	  TEST(test_disable_and_reset_stop_writes), TEST(test_park_and_resume),
	  TEST(test_work_does_not_wake_who_sleeps), TEST(test_pause_does_not_wake_who_sleeps),
	  TEST(test_an_old_preempted_is_cleared), TEST(test_page_lost_while_parked_flushes),
	  TEST(test_pause_tells_clock_and_steal), TEST(test_wanted_work_stops))
