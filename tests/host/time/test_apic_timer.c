/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/time/apic_timer.c behind irq_fwd.c and vp_run.c: the local APIC's timer in place of the
 * VMX-preemption timer, on the model of the physical APIC.
 */
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"

#define ROOT_TSC 500 /* what the hypervisor may take behind a deadline */

static struct vp *vp;
static u32 fired;
static struct timer tick;

static void count_fire(struct vp *v, struct timer *t)
{
	EXPECT_GE(fake.tsc, t->deadline_tsc);
	fired++;
}

static const struct kind {
	enum run_timer timer;
	bool keeps_msr;
	u32 early_tsc;
} kinds[] = {
	{ RUN_TIMER_APIC_DEADLINE, false, 0 },
	{ RUN_TIMER_APIC_DEADLINE, true, 0 },
	{ RUN_TIMER_APIC_DEADLINE, false, 300 },
	{ RUN_TIMER_APIC_ONE_SHOT, false, 0 },
};

static void init(const struct kind *k)
{
	apic_test_init(1, false);
	vp = &at.vp[0];
	apic_test_use_timer(k->timer);
	irqhw.timer_keeps_msr = k->keeps_msr;
	irqhw.timer_early_tsc = k->early_tsc;
	vp->work = 0;
	fired = 0;
	tick = (struct timer){ .fn = count_fire };
	fake.tsc_step = 1;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xff);
}

static bool is_in_guest_irr(u8 vector)
{
	return (vlapic_reg(&vp->apic, APIC_IRR + vector / 32 * 16) >> (vector % 32)) & 1;
}

/* The guest takes what it has and is done with it. */
static u32 guest_takes(u8 vector)
{
	if (!is_in_guest_irr(vector))
		return 0;
	vlapic_accept(vp, vector);
	vlapic_eoi(vp);
	return 1;
}

static void enter(void)
{
	model_timer(); /* it may have fired while the hypervisor ran */
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	vp_arm_timer(vp);
	while (vp->work != 0) {
		u32 work = vp->work;

		vp->work = 0;
		if (work & VP_WORK_TIMER)
			timer_run(vp, hw_tsc());
		vp_arm_timer(vp);
	}
}

/* Until the next exit, of another kind after @max_tsc at the latest. */
static void run_guest(u64 max_tsc)
{
	u64 end = fake.tsc + max_tsc;

	enter();
	for (model_timer(); !model_intr() && fake.tsc < end; model_timer()) {
		/* Nothing ends the run in time: the deadline is lost. */
		if (vp->deadline_tsc != TIMER_NEVER)
			EXPECT_LE(fake.tsc, vp->deadline_tsc + ROOT_TSC);
		fake.tsc += 1 + test_rng() % 40;
	}
	(void)model_exit(false);
}

static void test_deadlines_end_the_run_in_time(void)
{
	static const u64 spans[] = { 1, 100, 5000, 1000000, 40000000 };

	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		init(&kinds[k]);
		for (size_t i = 0; i < ARRAY_SIZE(spans); i++) {
			u64 deadline = fake.tsc + spans[i];
			u32 before = fired;

			timer_set(vp, &tick, deadline);
			while (fired == before) {
				run_guest(~0ull >> 1);
				enter();
			}
			EXPECT_LE(fake.tsc, deadline + ROOT_TSC);
		}
		EXPECT_GE(vp->counters.c[COUNTER_RUN_TIMER], 3);
		EXPECT_EQ(0, vp->counters.c[COUNTER_IRQ_EDGE]);
		EXPECT_EQ(0, vp->counters.c[COUNTER_IRQ_EXTINT]);
		EXPECT_EQ(0, vp->apic.highest_irr + 1);
	}
}

/* Once per deadline: it is good across entries, unlike the preemption timer's count. */
static void test_it_is_armed_once_for_a_deadline(void)
{
	init(&kinds[0]);
	timer_set(vp, &tick, fake.tsc + 1000000);
	enter();
	fake.msr_writes = 0;
	for (u32 i = 0; i < 20; i++) {
		fake.tsc += 100;
		enter();
	}
	EXPECT_EQ(0, fake.msr_writes);
	EXPECT_EQ(0, fake.timer_arms);
	timer_cancel(vp, &tick);
	enter();
	EXPECT_EQ(0, fake_msr_find(MSR_IA32_TSC_DEADLINE)->val);
}

static void test_vector_avoids_the_guests_spurious_one(void)
{
	init(&kinds[0]);
	EXPECT_EQ(0xfe, irqhw.reg[APIC_LVT_TIMER >> 4] & 0xff);
	vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xfe);
	EXPECT_EQ(0xff, irqhw.reg[APIC_LVT_TIMER >> 4] & 0xff);
	vlapic_write(vp, APIC_SVR, 0xef);
	EXPECT_TRUE(irqhw.reg[APIC_LVT_TIMER >> 4] & APIC_LVT_MASKED);
	vlapic_write(vp, APIC_SVR, APIC_SVR_ENABLE | 0xef);
	EXPECT_FALSE(irqhw.reg[APIC_LVT_TIMER >> 4] & APIC_LVT_MASKED);
	timer_set(vp, &tick, fake.tsc + 5000);
	while (fired == 0) {
		run_guest(100000);
		enter();
	}
	EXPECT_EQ(1, irqhw.timer_irqs);
}

/* A held level vector of a lower class is in the physical ISR all the time. */
static void test_held_level_vectors_do_not_block_it(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		init(&kinds[k]);
		model_rte(0, 0xe5, true, false);
		model_line(0, true);
		EXPECT_TRUE(model_exit(false));
		EXPECT_TRUE(irq_fwd_is_held(&vp->fwd, 0xe5));
		timer_set(vp, &tick, fake.tsc + 50000);
		while (fired == 0) {
			run_guest(1000000);
			enter();
		}
		EXPECT_TRUE(irq_fwd_is_held(&vp->fwd, 0xe5));
		EXPECT_EQ(0, vp->counters.c[COUNTER_EOI]);
	}
}

/* The timer's own request in the physical IRR is nothing that the guest sees (rule I6). */
static void test_guest_does_not_see_its_request(void)
{
	u32 reg = APIC_IRR + 7 * APIC_REG_STRIDE;

	init(&kinds[0]);
	timer_set(vp, &tick, fake.tsc + 100);
	enter();
	fake.tsc += 1000;
	model_timer();
	(void)model_msi(0xf3);
	EXPECT_EQ(1u << 30 | 1u << 19, irqhw.irr[7]);
	EXPECT_EQ(1u << 19, vlapic_read(vp, reg));
	EXPECT_TRUE(model_exit(false));
	(void)model_msi(0xfe); /* no timer is armed: a device */
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(is_in_guest_irr(0xfe));
}

static void fires_once_more(u8 vector, bool extint)
{
	irqhw.before_accept = NULL;
	fake.tsc += 5000;
	model_timer();
}

/* Two of the timer's on the way: one of an old deadline, one between the first and its EOI. */
static void test_both_of_two_requests_are_the_timers(void)
{
	init(&kinds[0]);
	timer_set(vp, &tick, fake.tsc + 100);
	enter();
	fake.tsc += 200;
	timer_set(vp, &tick, fake.tsc + 1000);
	enter();
	EXPECT_EQ(1u << 30, irqhw.irr[7]);
	irqhw.before_accept = fires_once_more;
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(2, vp->counters.c[COUNTER_RUN_TIMER]);
	EXPECT_FALSE(is_in_guest_irr(0xfe));
}

/* Merged with the timer's in the IRR, a device's is not lost once the vector is known to be shared.
 */
static void test_shared_vector_goes_to_the_guest_too(void)
{
	init(&kinds[0]);
	(void)model_msi(0xfe);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(1, guest_takes(0xfe));
	timer_set(vp, &tick, fake.tsc + 100);
	enter();
	fake.tsc += 200;
	model_timer();
	(void)model_msi(0xfe);
	EXPECT_EQ(1u << 30, vlapic_read(vp, APIC_IRR + 7 * APIC_REG_STRIDE));
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(1, guest_takes(0xfe));
	EXPECT_EQ(1, vp->counters.c[COUNTER_RUN_TIMER]);
}

/*
 * At random: deadlines, devices that use the timer's vectors too, the guest's SVR. A device's
 * interrupt that comes while the timer has nothing pending reaches the guest; while no device uses
 * the vector the guest gets none.
 */
static void random_device(u32 *sent)
{
	u8 vector = (u8)(APIC_TIMER_FIRST + test_rng() % 2);
	bool quiet;

	model_timer();
	quiet = !model_bit(irqhw.irr, vector) && (vp->apic_timer.pending & 3) == 0 &&
		(vp->apic_timer.armed_tsc == 0 ||
		 vp->apic_timer.armed_tsc > fake.tsc + irqhw.timer_early_tsc + 1000);
	if (!model_msi(vector))
		return;
	*sent |= 1u << (vector - APIC_TIMER_FIRST);
	(void)guest_takes(vector);
	while (model_exit(false))
		;
	if (quiet)
		EXPECT_TRUE(is_in_guest_irr(vector));
}

static void random_step(u32 *sent, bool devices)
{
	switch (test_rng() % 10) {
	case 0:
		timer_cancel(vp, &tick);
		break;
	case 1:
	case 2:
		timer_set(vp, &tick, fake.tsc + test_rng() % 3000);
		break;
	case 3:
		timer_set(vp, &tick, fake.tsc + test_rng() % 3000000);
		break;
	case 4:
		fake.tsc += test_rng() % 3000; /* in root */
		break;
	case 5:
		if (devices)
			random_device(sent);
		break;
	case 6:
		if (test_rng() % 8 == 0)
			vlapic_write(vp, APIC_SVR,
				     (u32)(APIC_SVR_ENABLE | (0xfd + test_rng() % 3)));
		break;
	default:
		run_guest(test_rng() % 5000);
	}
	for (u32 i = 0; i < 2; i++) {
		u32 taken = guest_takes((u8)(APIC_TIMER_FIRST + i));

		EXPECT_TRUE(taken == 0 || (*sent & 1u << i) != 0);
	}
}

static void test_random_devices_and_deadlines(void)
{
	for (size_t k = 0; k < ARRAY_SIZE(kinds); k++) {
		for (u32 devices = 0; devices < 2; devices++) {
			u32 sent = 0;

			init(&kinds[k]);
			for (u32 i = 0; i < 20000; i++)
				random_step(&sent, devices != 0);
			EXPECT_GE(fired, 200);
			EXPECT_GE(vp->counters.c[COUNTER_RUN_TIMER], 500);
		}
	}
}

TEST_MAIN(TEST(test_deadlines_end_the_run_in_time), TEST(test_it_is_armed_once_for_a_deadline),
	  TEST(test_vector_avoids_the_guests_spurious_one),
	  TEST(test_held_level_vectors_do_not_block_it), TEST(test_guest_does_not_see_its_request),
	  TEST(test_both_of_two_requests_are_the_timers),
	  TEST(test_shared_vector_goes_to_the_guest_too), TEST(test_random_devices_and_deadlines))
