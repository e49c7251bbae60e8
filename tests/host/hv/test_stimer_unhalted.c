/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hyperv/stimer_unhalted.c: its registers, its ticks, and what does not count; then at random
 * against the sum of all time in which the VP was not halted. Numbers are restated from the TLFS.
 */
#include "tests/host/hv/stimer_sim.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/exit.h"
#include "core/vp/vp.h"

#define UNHALTED_CONFIG 0x40000114u
#define UNHALTED_COUNT  0x40000115u
#define VP_ASSIST_PAGE  0x40000073u
#define ASSIST_GPA      (GUEST_RAM_BASE + 0x7000)
#define EXPIRED         56
#define ENABLED         (1ull << 8)
#define TICK            0x51u
#define WAKER           0x91u

static void begin(void)
{
	start();
	fake.vmcs[VMCS_GUEST_RFLAGS] = 2 | RFLAGS_IF;
	VP->work = 0;
}

static void tick_every(u64 count)
{
	set(UNHALTED_CONFIG, ENABLED | TICK);
	set(UNHALTED_COUNT, count);
}

static void next_entry(void)
{
	do
		(void)vp_prepare_entry(VP);
	while ((VP->work & ~(u32)VP_WORK_LAUNCH) != 0);
}

static void halt(void)
{
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	(void)exit_hlt(VP, &VP->exit);
	next_entry();
	EXPECT_EQ(VP_HALTED, VP->state);
}

static void wake(void)
{
	vp_left_hlt(VP);
	vlapic_set_irr(VP, WAKER, false);
	next_entry();
	EXPECT_EQ(VP_RUNNING, VP->state);
	EXPECT_EQ(WAKER, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & 0xff);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	vlapic_eoi(VP);
}

/* @units later, in HLT. Nothing ticks. */
static void halt_for(u64 units)
{
	u32 exits = 0;
	u64 end_tsc;

	halt();
	end_tsc = fake.tsc + units * TICKS;
	while (VP->deadline_tsc <= end_tsc) {
		fake.tsc = umax64(fake.tsc + 1, VP->deadline_tsc);
		vp_left_hlt(VP);
		next_entry();
		EXPECT_EQ(VP_HALTED, VP->state);
		exits++;
	}
	EXPECT_LE(exits, 1);
	EXPECT_FALSE(vlapic_has_request(VP));
	EXPECT_EQ(0, VP->event.nmis_pending);
	fake.tsc = end_tsc;
	wake();
}

static void test_registers(void)
{
	begin();
	EXPECT_EQ(0, get(UNHALTED_CONFIG) | get(UNHALTED_COUNT));
	for (u64 vector = 0; vector < 256; vector++) {
		bool bad = vector != 2 && vector < 16;

		EXPECT_EQ(bad ? MSR_GP : MSR_OK, msr_write(VP, UNHALTED_CONFIG, ENABLED | vector));
		set(UNHALTED_CONFIG, vector);
		EXPECT_EQ(vector, get(UNHALTED_CONFIG));
	}
	set(UNHALTED_CONFIG, ~0ull);
	EXPECT_EQ(0x1ff, get(UNHALTED_CONFIG));
	set(UNHALTED_COUNT, ~0ull);
	EXPECT_EQ(~0ull, get(UNHALTED_COUNT));
	EXPECT_EQ(0, pass(1000 * MS, 0xff));
	hv_vp_reset(VP, true);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_EQ(0, get(UNHALTED_CONFIG) | get(UNHALTED_COUNT));
}

static void test_ticks(void)
{
	begin();
	tick_every(10 * MS);
	EXPECT_EQ(0, pass(10 * MS - 1, TICK));
	EXPECT_EQ(1, pass(2, TICK));
	EXPECT_EQ(9, pass(90 * MS, TICK));
	EXPECT_EQ(ENABLED | TICK, get(UNHALTED_CONFIG));
	set(UNHALTED_COUNT, 0);
	EXPECT_EQ(0, pass(90 * MS, TICK));
	set(UNHALTED_COUNT, 10 * MS); /* a new period */
	EXPECT_EQ(0, pass(10 * MS - 1, TICK));
	EXPECT_EQ(1, pass(2, TICK));
	set(UNHALTED_CONFIG, TICK);
	EXPECT_EQ(0, pass(90 * MS, TICK));
	tick_every(1);
	EXPECT_EQ(10, pass(10 * SHORTEST, TICK));
}

/* Halts of any length, before the deadline, over it, and one behind the other. */
static void test_halted_time_does_not_count(void)
{
	begin();
	for (u32 i = 0; i < 10; i++) {
		tick_every(10 * MS);
		EXPECT_EQ(0, pass(5 * MS, TICK));
		halt_for(MS);
		halt_for(100 * MS);
		EXPECT_EQ(0, pass(5 * MS - 20, TICK));
		halt_for(1000 * MS);
		EXPECT_EQ(1, pass(25, TICK));
	}
}

/* A halt that a trap ends, and one that INIT ends, count as they should. */
static void test_stepped_halt(void)
{
	begin();
	tick_every(10 * MS);
	halt_for(100 * MS);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_TF;
	(void)exit_hlt(VP, &VP->exit);
	fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = PENDING_DBG_BS;
	next_entry();
	EXPECT_EQ(VP_RUNNING, VP->state);
	fake.vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_TF;
	fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = 0;
	EXPECT_EQ(0, pass(10 * MS - 10, TICK));
	EXPECT_EQ(1, pass(20, TICK));
	halt();
	fake.tsc += 50 * MS * TICKS;
	vp_reset(VP, true);
	EXPECT_EQ(TIMER_NEVER, VP->deadline_tsc);
	EXPECT_FALSE(VP->event.tell_running);
	vlapic_write(VP, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_IF;
	tick_every(10 * MS);
	EXPECT_EQ(0, pass(10 * MS - 10, TICK));
	halt_for(100 * MS);
	EXPECT_EQ(1, pass(20, TICK));
}

static void test_nmi_and_assist_page(void)
{
	u8 *page;

	begin();
	set(VP_ASSIST_PAGE, ASSIST_GPA | 1);
	page = hw_phys_to_virt(ept_walk(&g.p.ept, gpa(ASSIST_GPA)).hpa);
	set(UNHALTED_CONFIG, ENABLED | 2);
	set(UNHALTED_COUNT, MS);
	EXPECT_EQ(0, pass(MS - 1, 0));
	EXPECT_EQ(0, page[EXPIRED]);
	EXPECT_EQ(0, VP->event.nmis_pending);
	EXPECT_EQ(0, pass(2, 0));
	EXPECT_EQ(1, page[EXPIRED]);
	EXPECT_EQ(1, VP->event.nmis_pending);
	page[EXPIRED] = 0;
	set(VP_ASSIST_PAGE, 0);
	EXPECT_EQ(0, pass(MS, 0));
	EXPECT_EQ(0, page[EXPIRED]);
	EXPECT_EQ(2, VP->event.nmis_pending);
}

/* Late by a pause: one tick, then the grid again. */
static void test_held(void)
{
	begin();
	tick_every(10 * MS);
	VP->hold.stopped = true;
	EXPECT_EQ(0, pass(55 * MS, TICK));
	VP->hold.stopped = false;
	g.p.hooks->paused(VP);
	EXPECT_TRUE(took(TICK));
	EXPECT_EQ(0, pass(5 * MS - 10, TICK));
	EXPECT_EQ(1, pass(20, TICK));
}

static void test_frequency(void)
{
	u64 hz = GUEST_TSC_HZ / 3 * 4, ticks = hz / 10000000;

	begin();
	fake.tsc_step = 1;
	tick_every(100 * MS);
	hv_tsc_frequency(&g.p, hz);
	EXPECT_EQ(0, pass((100 * MS - 50) * ticks / TICKS, TICK));
	EXPECT_EQ(1, pass(200, TICK));
}

/* The model: the sum of the time in which it ran. A halt is rounded to a unit. */
static void test_random(void)
{
	for (u32 round = 0; round < 30; round++) {
		u64 period = SHORTEST + test_rng() % (20 * MS), ran = 0, halts = 0, due = period;

		begin();
		tick_every(period);
		for (u32 i = 0; i < 200; i++) {
			u64 units = test_rng() % (30 * MS);
			u32 ticks;

			if (test_rng() % 2) {
				halt_for(units);
				halts++;
				continue;
			}
			ticks = pass(units, TICK);
			ran += units;
			if (ran < due - halts) {
				EXPECT_EQ(0, ticks);
				continue;
			}
			if (ran < due + 3) /* near the edge: make it certain */
				ticks += pass(due + 3 - ran, TICK), ran = due + 3;
			EXPECT_GE(ticks, 1);
			EXPECT_LE(ticks, (ran - due + halts) / period + 1);
			due += ticks * period;
			EXPECT_GE(due, ran - 2);
		}
	}
}

static void without_it(struct partition *p)
{
	fake_guest_everything(p);
	p->config.cpu_features &= ~BIT64(FEATURE_HV_STIMER_UNHALTED);
}

static void test_off(void)
{
	u64 val;

	fake_guest_init(&g, 1, without_it);
	for (u32 msr = UNHALTED_CONFIG; msr <= UNHALTED_COUNT; msr++) {
		EXPECT_EQ(MSR_GP, msr_read(VP, msr, &val));
		EXPECT_EQ(MSR_GP, msr_write(VP, msr, 0));
	}
}

TEST_MAIN(TEST(test_registers), TEST(test_ticks), TEST(test_halted_time_does_not_count),
	  TEST(test_stepped_halt), TEST(test_nmi_and_assist_page), TEST(test_held),
	  TEST(test_frequency), TEST(test_random), TEST(test_off))
