/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hyperv/vp_registers.c: whose registers, and when: other VPs, asleep, with an event pending. */
#include "tests/host/hv/vp_reg_sim.h"

#include "arch/x86/defs/vector.h"

static void test_targets(void)
{
	static const struct {
		struct hv_vp_registers header;
		u16 status;
	} rows[] = {
		{ { HV_PARTITION_ID_SELF, 0, 0, { 0 } }, HV_STATUS_SUCCESS },
		{ { HV_PARTITION_ID_SELF, HV_VP_INDEX_SELF, 0x10, { 0 } }, HV_STATUS_SUCCESS },
		{ { 1, 0, 0, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { 0, 99, 0, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { HV_PARTITION_ID_SELF, 3, 0, { 0 } }, HV_STATUS_INVALID_VP_INDEX },
		{ { HV_PARTITION_ID_SELF, ~0u, 0, { 0 } }, HV_STATUS_INVALID_VP_INDEX },
		{ { HV_PARTITION_ID_SELF, 0, 0x11, { 0 } }, HV_STATUS_ACCESS_DENIED },
		{ { HV_PARTITION_ID_SELF, 0, 0x20, { 0 } }, HV_STATUS_INVALID_PARAMETER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		init();
		c.header = rows[i].header;
		EXPECT_EQ(rows[i].status, get(HV_X64_REGISTER_RIP));
		EXPECT_EQ(rows[i].status, set(HV_X64_REGISTER_RAX, 1));
		EXPECT_EQ(rows[i].status == HV_STATUS_SUCCESS, c.hc.done);
	}
}

/* The other CPU comes out of its guest and looks at its work. */
static void run_kicked(struct vp *other)
{
	struct vp *self = fake.cpu_vp;

	fake.cpu_vp = other;
	(void)vp_prepare_entry(other);
	fake.cpu_vp = self;
}

static void test_another_vp(void)
{
	init();
	fake.cpu_vp = &g.vp[1];
	fake.tsc_step = 1000;
	fake.kick = run_kicked;
	c.header.vp_index = 0;
	fake.vmcs[VMCS_GUEST_RIP] = 0x4444;
	EXPECT_EQ(0x4444, value_of(HV_X64_REGISTER_RIP));
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RIP, 0x5555));
	EXPECT_EQ(0x5555, fake.vmcs[VMCS_GUEST_RIP]); /* it is in no hypercall */
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 0x6666));
	EXPECT_EQ(0x6666, g.vp[0].regs.rax);
	EXPECT_EQ(0, g.vp[1].regs.rax);
	g.vp[0].entered = false;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, get(HV_X64_REGISTER_RIP));
	g.vp[0].entered = true;
	fake.kick = NULL; /* no answer: nothing is done, and the guest tries again */
	EXPECT_EQ(HV_STATUS_SUCCESS, get(HV_X64_REGISTER_RIP));
	EXPECT_EQ(0, c.hc.done);
}

/* Rule K3: a sleeping VP has our IF in its VMCS, and RFLAGS can wake it. */
static void test_a_sleeping_vp(void)
{
	init();
	fake.cpu_vp = &g.vp[1];
	fake.tsc_step = 1000;
	fake.kick = run_kicked;
	c.header.vp_index = 0;
	vp->state = VP_HALTED;
	event_prepare_entry(vp);
	EXPECT_TRUE(vp->event.if_aside);
	EXPECT_EQ(RFLAGS_FIXED, value_of(HV_X64_REGISTER_RFLAGS));
	EXPECT_TRUE(vp->event.if_aside);
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_TRUE(vp->event.if_aside); /* sleeps on */
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RFLAGS, RFLAGS_FIXED | RFLAGS_IF));
	EXPECT_FALSE(vp->event.if_aside);
	put_segment(0, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
	EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(1)); /* HLT is for CPL 0 */
	EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
}

/* Halted, or reset by INIT, and not asleep yet: what HLT would not allow must wait for that. */
static void test_a_vp_that_falls_asleep(void)
{
	static const enum vp_run_state states[] = { VP_HALTED, VP_WAIT_SIPI, VP_IDLE };

	for (u32 i = 0; i < ARRAY_SIZE(states); i++) {
		init();
		fake.cpu_vp = &g.vp[1];
		fake.tsc_step = 1000;
		c.header.vp_index = 0;
		vp->state = states[i];
		put_segment(0, HV_X64_REGISTER_SS, 0x23, 0, 0xffffffff, DATA_3);
		put_segment(1, HV_X64_REGISTER_CS, 0x1b, 0, 0xffffffff, CODE64_3);
		fake.kick = run_kicked;
		EXPECT_EQ(HV_STATUS_SUCCESS, set_list(2));
		EXPECT_EQ(0, c.hc.done); /* the guest comes again */
		EXPECT_TRUE(vp->asleep);
		EXPECT_EQ(HV_STATUS_INVALID_REGISTER_VALUE, set_list(2));
		EXPECT_EQ(ACTIVITY_HLT, fake.vmcs[VMCS_GUEST_ACTIVITY_STATE]);
	}
}

/* An event goes first: its delivery depends on the registers. */
static void test_events_go_first(void)
{
	init();
	vp->event.info = INTR_INFO_VALID | EXC_GP;
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, c.hc.done);
	vp->event.info = 0;
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = INTR_INFO_VALID | 0x31;
	EXPECT_EQ(HV_STATUS_SUCCESS, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, c.hc.done);
	fake.vmcs[VMCS_VM_ENTRY_INTR_INFO] = 0;
	vp->step.active = true;
	EXPECT_EQ(HV_STATUS_INVALID_VP_STATE, set(HV_X64_REGISTER_RAX, 1));
	EXPECT_EQ(0, vp->regs.rax);
}

TEST_MAIN(TEST(test_targets), TEST(test_another_vp), TEST(test_a_sleeping_vp),
	  TEST(test_a_vp_that_falls_asleep), TEST(test_events_go_first))
