/* SPDX-License-Identifier: BSD-2-Clause */
/* core/vp/vp_run.c, core/vp/vp.c: work, kicks, and the policy of the preemption timer. */
#include "core/exit/exit.h"
#include "tests/host/models/apic_vp.h"

#include "arch/x86/defs/cr.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/fakes/rig.h"

static struct vp *vp;

static void init(void)
{
	apic_test_init(2, false);
	vp = &at.vp[0];
	vp->work = 0;
	vp->rearm_tsc = 0;
	vp->deadline_tsc = TIMER_NEVER;
	fake.tsc_step = 0;
	fake.timer_arms = 0;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
}

static u32 fired;

static void count_fire(struct vp *v, struct timer *t)
{
	fired++;
}

static void test_near_deadline_is_programmed_exactly_at_every_entry(void)
{
	struct timer t = { .fn = count_fire };

	init();
	timer_set(vp, &t, fake.tsc + 5000);
	for (u32 i = 0; i < 10; i++) {
		vp_arm_timer(vp);
		EXPECT_EQ(t.deadline_tsc - fake.tsc, fake.timer_delta);
		fake.tsc += 100;
	}
	EXPECT_EQ(10, fake.timer_arms);
}

/*
 * A machine that counts down the programmed span from every entry and exits now and then: the timer
 * must never fire after the deadline, and a far one must not be programmed at every entry.
 */
static void test_far_deadline_never_fires_late(void)
{
	struct timer t = { .fn = count_fire };
	u32 entries = 0;

	init();
	fired = 0;
	timer_set(vp, &t, fake.tsc + 3000000000ull);
	while (fired == 0) {
		u64 left, run = 1 + test_rng() % 30000000;

		vp_arm_timer(vp);
		entries++;
		if (vp->work & VP_WORK_TIMER) {
			vp->work = 0;
			timer_run(vp, fake.tsc);
			continue;
		}
		left = t.deadline_tsc - fake.tsc;
		EXPECT_LE(fake.timer_delta, left);
		fake.tsc += run < fake.timer_delta ? run : fake.timer_delta; /* exit or timer */
		fake.tsc += test_rng() % 1000;                               /* root */
	}
	EXPECT_LE(t.deadline_tsc, fake.tsc);
	EXPECT_LE(fake.tsc - t.deadline_tsc, 1000);
	EXPECT_LE(fake.timer_arms * 3, entries);
}

static void test_due_deadline_becomes_work_not_an_exit(void)
{
	struct timer t = { .fn = count_fire };

	init();
	fired = 0;
	timer_set(vp, &t, fake.tsc);
	vp_arm_timer(vp);
	EXPECT_EQ(0, fake.timer_arms);
	EXPECT_EQ(VP_WORK_TIMER, vp->work);
	EXPECT_FALSE(vp_prepare_entry(vp));
	EXPECT_EQ(1, fired);
	EXPECT_EQ(0, vp->work);
}

static void test_prepare_entry_keeps_launch_and_clears_the_rest(void)
{
	init();
	vp->work = VP_WORK_LAUNCH | VP_WORK_EVENT;
	EXPECT_TRUE(vp_prepare_entry(vp));
	EXPECT_EQ(VP_WORK_LAUNCH, vp->work);
}

static void test_prepare_entry_delivers_what_a_timer_raised(void)
{
	init();
	vlapic_set_irr(vp, 0x60, false);
	EXPECT_TRUE(vp->work & VP_WORK_EVENT);
	EXPECT_FALSE(vp_prepare_entry(vp));
	EXPECT_EQ(INTR_INFO_VALID | 0x60, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void post_meanwhile(struct vp *v, struct timer *t)
{
	fake.cpu_vp = &at.vp[1];
	vlapic_post_irq(v, 0x61);
	fake.cpu_vp = v;
}

/* Posted after the work was looked at: it stays, or is taken, but is not forgotten. */
static void test_a_vector_posted_meanwhile_is_not_lost(void)
{
	struct timer t = { .fn = post_meanwhile };

	init();
	timer_set(vp, &t, fake.tsc);
	vp->work = VP_WORK_TIMER;
	EXPECT_FALSE(vp_prepare_entry(vp));
	if (vp->work & VP_WORK_POSTED)
		EXPECT_FALSE(vp_prepare_entry(vp));
	EXPECT_EQ(INTR_INFO_VALID | 0x61, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void test_work_for_another_vp_kicks_it(void)
{
	init();
	fake.cpu_vp = vp;
	vp_post_work(vp, VP_WORK_EVENT);
	EXPECT_EQ(0, fake.kick_count);
	vp_post_work(&at.vp[1], VP_WORK_EVENT);
	EXPECT_EQ(1, fake.kick_count);
	EXPECT_TRUE(fake.kicked[0] == &at.vp[1]);
	EXPECT_TRUE(at.vp[1].work & VP_WORK_EVENT);
}

/* What comes behind an INIT is for the state after it, also when the VP sees all at once. */
static void test_signals_act_in_their_order(void)
{
	struct vp *ap;

	init();
	EXPECT_EQ(ERR_NONE, cpuid_add_rows(&at.p, 0, cpuid_host_rows, cpuid_host_row_count));
	EXPECT_EQ(ERR_NONE, cpuid_seal(&at.p));
	ap = fake.cpu_vp = &at.vp[1];
	ap->state = VP_RUNNING;
	ap->work = 0;
	vlapic_post_sipi(ap, 0x12); /* ignored: it runs */
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_RUNNING, ap->state);
	EXPECT_EQ(0, ap->counters.c[COUNTER_SIPI]);
	vlapic_post_nmi(ap); /* the INIT takes it away */
	vlapic_post_init(ap);
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_WAIT_SIPI, ap->state);
	EXPECT_FALSE(ap->event.nmis_pending);
	vlapic_post_init(ap);
	vlapic_post_sipi(ap, 0x34);
	vlapic_post_sipi(ap, 0x56);
	vlapic_post_nmi(ap);
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_RUNNING, ap->state);
	EXPECT_EQ(0x3400, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(1, ap->counters.c[COUNTER_SIPI]);
	EXPECT_EQ(INTR_INFO_VALID | 2u << 8 | 2, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

/* One in service and one latched: of three that come before the VP looks, two are taken. */
static void test_two_nmis_from_others_are_two(void)
{
	init();
	for (u32 sent = 1; sent <= 3; sent++) {
		fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
		fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = 0;
		vp->event.nmis_pending = 0;
		for (u32 i = 0; i < sent; i++)
			vlapic_post_nmi(vp);
		(void)vp_prepare_entry(vp);
		EXPECT_EQ(INTR_INFO_VALID | 2u << 8 | 2, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
		EXPECT_EQ(sent > 1, vp->event.nmis_pending);
		vlapic_post_nmi(vp); /* committed for the entry: it is in service */
		vlapic_post_nmi(vp);
		(void)vp_prepare_entry(vp);
		EXPECT_EQ(1, vp->event.nmis_pending);
	}
}

/*
 * Rule P2. Operating systems send two SIPIs and the second one finds the VP running: it must not
 * start the VP after an INIT that comes much later.
 */
static void test_physical_init_forgets_an_old_sipi(void)
{
	static struct fake_guest g;
	static u8 bitmap[4096];
	struct vp *ap = &g.vp[1];

	fake_guest_init(&g, 2, NULL);
	ap->ctx->msr_bitmap = bitmap;
	fake.cpu_vp = ap;
	vlapic_post_sipi(ap, 0x12);
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_RUNNING, ap->state);
	EXPECT_EQ(EXIT_RESUME, exit_init(ap, &ap->exit));
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_WAIT_SIPI, ap->state);
	vlapic_post_sipi(ap, 0x34); /* but a new one does */
	(void)vp_prepare_entry(ap);
	EXPECT_EQ(VP_RUNNING, ap->state);
	EXPECT_EQ(0x3400, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
}

/*
 * Rule P2: the chipset's INIT# reaches every CPU. The boot CPU goes on at its reset vector, the
 * others wait for a SIPI, also one that waits already.
 */
static void test_init_from_the_chipset_reaches_each_vp(void)
{
	static struct fake_guest g;
	static u8 bitmap[2][4096];

	fake_guest_init(&g, 2, NULL);
	for (u32 i = 0; i < 4; i++) {
		struct vp *v = fake.cpu_vp = &g.vp[i / 2];

		v->ctx->msr_bitmap = bitmap[i / 2];
		v->regs.rbx = 0x5a;
		EXPECT_EQ(EXIT_RESUME, exit_init(v, &v->exit));
		(void)vp_prepare_entry(v);
		EXPECT_EQ(i < 2 ? VP_RUNNING : VP_WAIT_SIPI, v->state);
		EXPECT_EQ(i < 2 ? ACTIVITY_ACTIVE : ACTIVITY_HLT,
			  fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
		EXPECT_EQ(0, v->regs.rbx);
		EXPECT_EQ(0xfff0, fake.vmcs[VMCS_GUEST_RIP]);
		EXPECT_EQ(0xffff0000, fake.vmcs[VMCS_GUEST_CS_BASE]);
		EXPECT_EQ(i % 2 + 1, v->counters.c[COUNTER_INIT]);
	}
	vlapic_post_sipi(&g.vp[1], 0x34);
	(void)vp_prepare_entry(&g.vp[1]);
	EXPECT_EQ(VP_RUNNING, g.vp[1].state);
}

static void test_register_numbers(void)
{
	init();
	for (u32 i = 0; i < 16; i++)
		gpr_write(vp, i, 0x100 + i);
	EXPECT_EQ(0x104, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x100, vp->regs.rax);
	EXPECT_EQ(0x101, vp->regs.rcx);
	EXPECT_EQ(0x103, vp->regs.rbx);
	EXPECT_EQ(0x105, vp->regs.rbp);
	EXPECT_EQ(0x107, vp->regs.rdi);
	EXPECT_EQ(0x10f, vp->regs.r15);
	for (u32 i = 0; i < 16; i++)
		EXPECT_EQ(0x100 + i, gpr_read(vp, i));
}

static void test_failed_entry_names_the_error(void)
{
	init();
	fake.vmcs[VMCS_VM_INSTRUCTION_ERROR] = 7;
	EXPECT_NE(FAKE_END_NONE, FAKE_CATCH(vp_entry_failed(vp)));
	EXPECT_CONTAINS(fake.console, "VM entry with invalid control field");
}

TEST_MAIN(TEST(test_near_deadline_is_programmed_exactly_at_every_entry),
	  TEST(test_far_deadline_never_fires_late),
	  TEST(test_due_deadline_becomes_work_not_an_exit),
	  TEST(test_prepare_entry_keeps_launch_and_clears_the_rest),
	  TEST(test_prepare_entry_delivers_what_a_timer_raised),
	  TEST(test_a_vector_posted_meanwhile_is_not_lost), TEST(test_work_for_another_vp_kicks_it),
	  TEST(test_signals_act_in_their_order), TEST(test_two_nmis_from_others_are_two),
	  TEST(test_physical_init_forgets_an_old_sipi),
	  TEST(test_init_from_the_chipset_reaches_each_vp), TEST(test_register_numbers),
	  TEST(test_failed_entry_names_the_error))
