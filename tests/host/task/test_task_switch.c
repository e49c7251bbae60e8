/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: a task switch that succeeds. The SDM's table of busy flag, NT, link and TS; what
 * travels between the CPU and TSSs of 32 and 16 bits; user and virtual-8086 tasks; the LDT; the T
 * flag.
 */
#include "arch/x86/defs/msr.h"
#include "tests/host/task/task_sim.h"

/* SDM Vol. 3A, table "Effect of a Task Switch on Busy Flag, NT Flag, Previous Task Link Field, and
 * TS Flag". */
static void test_busy_nt_link_and_ts(void)
{
	static const struct {
		const struct how *how;
		bool old_busy, new_nt, old_nt, new_link;
	} rows[] = {
		{ &by_jmp, false, false, true, false },   { &by_call, true, true, true, true },
		{ &by_int, true, true, true, true },      { &by_ud, true, true, true, true },
		{ &by_iret, false, false, false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		setup();
		put_u32(tss(NEW_TSS) + TSS_LINK, 0x77777777);
		switch_task(rows[i].how);
		EXPECT_EQ(-1, paged_exception());
		EXPECT_EQ(rows[i].old_busy ? DESC_TYPE_TSS_BUSY : DESC_TYPE_TSS_AVAIL,
			  type_of(S_OLD));
		EXPECT_EQ(DESC_TYPE_TSS_BUSY, type_of(S_NEW));
		EXPECT_EQ(rows[i].new_nt, (fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_NT) != 0);
		EXPECT_EQ(rows[i].old_nt, (get_u32(tss(OLD_TSS) + TSS32_EFLAGS) & RFLAGS_NT) != 0);
		EXPECT_EQ(rows[i].new_link ? 0x77770000 | S_OLD : 0x77777777,
			  get_u32(tss(NEW_TSS) + TSS_LINK));
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_CR0] & CR0_TS);
		EXPECT_EQ(S_NEW, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
		EXPECT_EQ(NEW_TSS, fake.vmcs[VMCS_GUEST_TR_BASE]);
		EXPECT_EQ(AR_P | AR_TYPE_TSS_BUSY, fake.vmcs[VMCS_GUEST_TR_AR]);
		EXPECT_EQ(DR7_FIXED | DR7_G0 | DR7_G1 | DR7_G2 | DR7_G3, fake.vmcs[VMCS_GUEST_DR7]);
	}
}

static void test_registers_travel_between_the_tss_and_the_cpu(void)
{
	setup();
	memset(tss(OLD_TSS), 0xee, TSS32_BYTES);
	fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS] = PENDING_DBG_BS; /* the old task's TF */
	switch_task(&by_call);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_EQ(OLD_EIP + LEN, get_u32(tss(OLD_TSS) + TSS32_EIP));
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF, get_u32(tss(OLD_TSS) + TSS32_EFLAGS));
	for (u32 i = 0; i < 8; i++) {
		EXPECT_EQ(0x22220000 + i, get_u32(tss(OLD_TSS) + TSS32_EAX + 4 * i));
		EXPECT_EQ(i == 4 ? STACK : 0x11110000 + i, gpr_read(vp, i));
	}
	for (u32 i = 0; i < 6; i++)
		EXPECT_EQ(0xeeee0000 | (i == 1 ? S_CODE : S_DATA),
			  get_u32(tss(OLD_TSS) + TSS32_ES + 4 * i));
	/* Static fields and what lies behind the saved ones stay. */
	EXPECT_EQ(0xeeeeeeee, get_u32(tss(OLD_TSS) + TSS32_CR3));
	EXPECT_EQ(0xeeeeeeee, get_u32(tss(OLD_TSS) + TSS32_LDT));
	EXPECT_EQ(0xeeeeeeee, get_u32(tss(OLD_TSS)));
	EXPECT_EQ(NEW_EIP, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_CF | RFLAGS_NT, fake.vmcs[VMCS_GUEST_RFLAGS]);
	EXPECT_EQ(AR_UNUSABLE, fake.vmcs[VMCS_GUEST_LDTR_AR]);
}

static void test_16_bit_tss(void)
{
	setup();
	new_tss16();
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | AR_TYPE_TSS16_BUSY;
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS16_BYTES - 1;
	*slot(S_OLD) = desc(OLD_TSS, TSS16_BYTES - 1, 0x83, 0);
	memset(tss(OLD_TSS), 0xee, TSS32_BYTES);
	switch_task(&by_jmp);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(1, type_of(S_OLD));
	EXPECT_EQ(3, type_of(S_NEW));
	EXPECT_EQ(0xeeee, get_u16(tss(OLD_TSS) + TSS16_IP - 2));
	EXPECT_EQ(OLD_EIP + LEN, get_u16(tss(OLD_TSS) + TSS16_IP));
	EXPECT_EQ(4, get_u16(tss(OLD_TSS) + TSS16_AX + 2 * 4));
	EXPECT_EQ(S_DATA, get_u16(tss(OLD_TSS) + TSS16_ES + 2 * 3));
	EXPECT_EQ(0xeeee, get_u16(tss(OLD_TSS) + TSS16_LDT));
	EXPECT_EQ(0xffff1607, gpr_read(vp, 7));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_FS_SELECTOR]);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_GS_AR] & AR_UNUSABLE);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_CR3]);
}

static void test_user_and_v86_tasks(void)
{
	setup();
	for (u32 i = 0; i < 6; i++)
		sel(i, i == 1 ? S_UCODE : S_UDATA);
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(3, vp_cpl(vp));
	setup();
	for (u32 i = 0; i < 6; i++)
		sel(i, i == 1 ? S_UCODE : S_UDATA);
	sel(3, S_DATA); /* DPL 0 under CPL 3 */
	switch_task(&by_call);
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_EQ(S_DATA, paged_error());
	setup();
	put_u32(tss(NEW_TSS) + TSS32_EFLAGS, RFLAGS_FIXED | RFLAGS_VM);
	for (u32 i = 0; i < 6; i++)
		sel(i, (u16)(0x2000 + i));
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(0x20010, fake.vmcs[VMCS_GUEST_CS_BASE]);
	EXPECT_EQ(0x2001, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(0xf3, fake.vmcs[VMCS_GUEST_GS_AR]);
	EXPECT_EQ(0xffff, fake.vmcs[VMCS_GUEST_SS_LIMIT]);
}

static void test_ldt_is_loaded_before_its_segments(void)
{
	setup();
	put_u16(tss(NEW_TSS) + TSS32_LDT, S_LDT);
	sel(2, 0xc);
	sel(3, 0xc);
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(LDT, fake.vmcs[VMCS_GUEST_LDTR_BASE]);
	EXPECT_EQ(AR_P | AR_TYPE_LDT, fake.vmcs[VMCS_GUEST_LDTR_AR]);
	EXPECT_EQ(0xffffffff, fake.vmcs[VMCS_GUEST_DS_LIMIT]);
}

static void test_t_flag_traps_with_bt(void)
{
	setup();
	tss(NEW_TSS)[TSS32_TRAP] = 1;
	fake.vmcs[VMCS_GUEST_DR7] |= DR7_GD;
	switch_task(&by_call);
	EXPECT_EQ(EXC_DB, paged_exception());
	EXPECT_TRUE(fake.dr[6] & DR6_BT);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_DR7] & DR7_GD);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
}

static void test_ia32e_mode_has_no_task_switch(void)
{
	struct exit_info x = { .qual = S_NEW };

	setup();
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME;
	EXPECT_EQ(EXIT_STOP, exit_task_switch(vp, &x));
}

TEST_MAIN(TEST(test_busy_nt_link_and_ts), TEST(test_registers_travel_between_the_tss_and_the_cpu),
	  TEST(test_16_bit_tss), TEST(test_user_and_v86_tasks),
	  TEST(test_ldt_is_loaded_before_its_segments), TEST(test_t_flag_traps_with_bt),
	  TEST(test_ia32e_mode_has_no_task_switch))
