/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/guest_idle.c, and vp_idle() behind it: when a read sleeps, and what ends it. */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic.h"
#include "core/vp/event.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_abi.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static void idle(struct partition *p)
{
	p->config.cpu_features |= BIT64(FEATURE_HYPERV) | BIT64(FEATURE_HV_GUEST_IDLE);
}

static struct vp *start(bool interrupts)
{
	fake_guest_init(&g, 1, idle);
	vlapic_write(&g.vp[0], APIC_SVR, APIC_SVR_ENABLE | 0xff);
	fake.vmcs[VMCS_GUEST_RFLAGS] = interrupts ? 0x202 : 2;
	g.vp[0].work = 0;
	return &g.vp[0];
}

static void sleep_now(struct vp *vp)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(vp, HV_X64_MSR_GUEST_IDLE, &val));
	EXPECT_EQ(0, val);
	(void)vp_prepare_entry(vp);
}

static bool is_asleep(const struct vp *vp)
{
	return vp->state == VP_IDLE && fake.vmcs[VMCS_GUEST_ACTIVITY_STATE] == ACTIVITY_HLT &&
	       (fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF) != 0;
}

static void exit_and_enter(struct vp *vp)
{
	vp_left_hlt(vp);
	(void)vp_prepare_entry(vp);
}

static void test_off_is_gp(void)
{
	u64 val;

	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], HV_X64_MSR_GUEST_IDLE, &val));
	(void)start(false);
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], HV_X64_MSR_GUEST_IDLE, 0));
}

/* Blocked by IF, by the TPR, by both: it ends the sleep, and is not delivered. */
static void test_any_request_ends_it(void)
{
	for (u32 how = 0; how < 3; how++) {
		struct vp *vp = start(how == 1);

		vlapic_write(vp, APIC_TPR, how == 0 ? 0 : 0xf0);
		vp->work = 0;
		sleep_now(vp);
		EXPECT_TRUE(is_asleep(vp));
		exit_and_enter(vp); /* for nothing: sleeps on */
		EXPECT_TRUE(is_asleep(vp));
		vp_left_hlt(vp);
		vlapic_set_irr(vp, 0x61, false);
		(void)vp_prepare_entry(vp);
		EXPECT_EQ(VP_RUNNING, vp->state);
		EXPECT_EQ(ACTIVITY_ACTIVE, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
		EXPECT_EQ(how == 1 ? RFLAGS_IF : 0, fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_IF);
		EXPECT_EQ(0, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] & INTR_INFO_VALID);
		EXPECT_TRUE(vlapic_has_request(vp));
	}
}

static void test_delivered_if_nothing_blocks_it(void)
{
	struct vp *vp = start(true);

	sleep_now(vp);
	EXPECT_TRUE(is_asleep(vp));
	vp_left_hlt(vp);
	vlapic_set_irr(vp, 0x61, false);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(INTR_INFO_VALID | 0x61, fake.vmcs[VMCS_VM_ENTRY_INTR_INFO]);
}

static void test_no_sleep_with_a_request(void)
{
	struct vp *vp = start(false);

	vlapic_set_irr(vp, 0x61, false);
	sleep_now(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	EXPECT_EQ(1, vp->counters.c[COUNTER_HV_GUEST_IDLE]);
}

static void test_nmi_and_unhalt_end_it(void)
{
	struct vp *vp = start(false);

	sleep_now(vp);
	vp_left_hlt(vp);
	event_nmi(vp);
	(void)vp_prepare_entry(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
	vp = start(false);
	sleep_now(vp);
	EXPECT_TRUE(is_asleep(vp));
	EXPECT_TRUE(vp_unhalt(vp));
	exit_and_enter(vp);
	EXPECT_EQ(VP_RUNNING, vp->state);
}

TEST_MAIN(TEST(test_off_is_gp), TEST(test_any_request_ends_it),
	  TEST(test_delivered_if_nothing_blocks_it), TEST(test_no_sleep_with_a_request),
	  TEST(test_nmi_and_unhalt_end_it))
