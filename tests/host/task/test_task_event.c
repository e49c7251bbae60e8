/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: the event behind a task gate. What the old task goes on with, the error code on the
 * new stack, NMI blocking, and faults that merge with the event into #DF.
 */
#include "tests/host/task/task_sim.h"

/* What the old task goes on with, by the kind of event. */
static void test_saved_eip_and_rf_follow_the_event(void)
{
	static const struct {
		const struct how *how;
		u32 eip;
		bool rf;
	} rows[] = {
		{ &by_call, OLD_EIP + LEN, false }, { &by_iret, OLD_EIP + LEN, false },
		{ &by_int, OLD_EIP + LEN, true },   { &by_bp, OLD_EIP + LEN, true },
		{ &by_int1, OLD_EIP + LEN, true },  { &by_irq, OLD_EIP, true },
		{ &by_nmi, OLD_EIP, true },         { &by_ud, OLD_EIP, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup();
		fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_RF;
		switch_task(rows[i].how);
		EXPECT_EQ(rows[i].eip, get_u32(tss(OLD_TSS) + TSS32_EIP));
		EXPECT_EQ(rows[i].rf, (get_u32(tss(OLD_TSS) + TSS32_EFLAGS) & RFLAGS_RF) != 0);
		EXPECT_EQ(0, vp->event.info);
	}
	setup();
	switch_task(&by_ud);
	EXPECT_TRUE(get_u32(tss(OLD_TSS) + TSS32_EFLAGS) & RFLAGS_RF);
	setup();
	switch_task(&by_irq);
	EXPECT_FALSE(get_u32(tss(OLD_TSS) + TSS32_EFLAGS) & RFLAGS_RF);
}

static void test_error_code_is_pushed_in_the_tss_width(void)
{
	setup();
	switch_task(&by_gp);
	EXPECT_EQ(STACK - 4, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x4444, get_u32(paged_ram + STACK - 4));
	setup();
	new_tss16();
	*slot(S_X) = desc(0, 0xffff, 0x93, 0); /* a 16-bit stack */
	put_u16(tss(NEW_TSS) + TSS16_ES + 4, S_X);
	put_u16(tss(NEW_TSS) + TSS16_AX + 8, 0);
	switch_task(&by_gp);
	EXPECT_EQ(0xfffffffe, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x4444, get_u16(paged_ram + 0xfffe));
	setup();
	*slot(S_X) = desc(0, STACK - 3, 0x93, 4);
	put_u16(tss(NEW_TSS) + TSS32_ES + 8, S_X);
	switch_task(&by_gp); /* #SS after #GP */
	EXPECT_EQ(EXC_DF, paged_exception());
	EXPECT_EQ(STACK, fake.vmcs[VMCS_GUEST_RSP]);
	setup();
	*slot(S_X) = desc(0, STACK - 3, 0x93, 4);
	put_u16(tss(NEW_TSS) + TSS32_ES + 8, S_X);
	switch_task(&by_ac); /* benign: #SS, and the event was not the task's own doing */
	EXPECT_EQ(EXC_SS, paged_exception());
	EXPECT_EQ(ERROR_CODE_EXT, paged_error());
}

static void test_faults_merge_with_the_event(void)
{
	setup();
	*slot(S_NEW) = 0;
	switch_task(&by_gp); /* #GP, then #GP */
	EXPECT_EQ(EXC_DF, paged_exception());
	EXPECT_EQ(0, paged_error());
	EXPECT_EQ(S_OLD, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
	setup();
	put_u16(tss(NEW_TSS) + TSS32_ES + 4, S_DATA); /* CS */
	switch_task(&by_gp); /* the same behind the commit point: #GP, then #TS */
	EXPECT_EQ(EXC_DF, paged_exception());
	EXPECT_EQ(0, paged_error());
	EXPECT_EQ(S_NEW, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
	setup();
	put_u16(tss(NEW_TSS) + TSS32_ES + 4, S_DATA);
	switch_task(&by_ud); /* benign */
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_EQ(S_DATA | ERROR_CODE_EXT, paged_error());
}

/* An NMI that has reached its task is not delivered again when the task turns out to be broken. */
static void test_nmi_is_taken_at_the_commit_point(void)
{
	setup();
	*slot(S_NEW) = 0;
	switch_task(&by_nmi);
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_TRUE(vp->event.nmis_pending);
	setup();
	put_u16(tss(NEW_TSS) + TSS32_ES + 4, S_DATA);
	switch_task(&by_nmi);
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_FALSE(vp->event.nmis_pending);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] & GUEST_INTR_BLOCKED_BY_NMI);
	setup();
	switch_task(&by_nmi);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
}

static void test_iret_unblocks_nmis(void)
{
	setup();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	switch_task(&by_iret);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	setup();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_NMI;
	*slot(S_NEW) = 0;
	switch_task(&by_iret);
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	setup();
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] =
		GUEST_INTR_BLOCKED_BY_NMI | GUEST_INTR_BLOCKED_BY_MOV_SS;
	switch_task(&by_call);
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
}

TEST_MAIN(TEST(test_saved_eip_and_rf_follow_the_event),
	  TEST(test_error_code_is_pushed_in_the_tss_width), TEST(test_faults_merge_with_the_event),
	  TEST(test_nmi_is_taken_at_the_commit_point), TEST(test_iret_unblocks_nmis))
