/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: random TSSs and descriptors, as any guest may write them, leave a state that the CPU
 * accepts.
 */
#include "core/exit/entry_check.h"
#include "tests/host/task/task_sim.h"

static void random_bytes(u8 *at, u32 len)
{
	for (u32 i = 0; i < len; i++)
		at[i] = (u8)test_rng();
}

static u16 random_selector(void)
{
	return (u16)(test_rng() % 0x108);
}

/* Mostly plausible, so that many get far. */
static void random_task(void)
{
	u8 *t = tss(NEW_TSS);

	for (u32 s = 0x40; s < TABLE_BYTES; s += 8)
		*slot(s) = test_rng() | (test_rng() % 4 ? DESC_P | DESC_S : 0);
	random_bytes(paged_ram + LDT, 0x100);
	for (u32 i = 0; i < 6; i++) {
		if (test_rng() % 3 == 0)
			sel(i, random_selector());
	}
	if (test_rng() % 3 == 0)
		put_u16(t + TSS32_LDT, random_selector());
	if (test_rng() % 2)
		put_u32(t + TSS32_EFLAGS,
			(u32)test_rng() & (test_rng() % 4 ? ~(u32)RFLAGS_VM : ~0u));
	if (test_rng() % 4 == 0)
		put_u32(t + TSS32_EIP, (u32)test_rng());
	if (test_rng() % 4 == 0)
		put_u32(t + TSS32_EAX + 16, (u32)test_rng());
	t[TSS32_TRAP] = (u8)test_rng();
	if (test_rng() % 8 == 0)
		*slot(S_NEW) = test_rng();
	if (test_rng() % 8 == 0)
		*slot(S_NEW) = desc(NEW_TSS, 0xfff, 0x81, 0);
	if (test_rng() % 16 == 0)
		fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = test_rng() % 0x108;
}

static void test_random_tasks_leave_a_state_the_cpu_accepts(void)
{
	static const struct how *const hows[] = { &by_call, &by_jmp, &by_iret, &by_int, &by_irq,
						  &by_nmi,  &by_gp,  &by_bp,   &by_ud,  &by_int1 };
	u32 committed = 0, clean = 0;

	for (u32 i = 0; i < 20000; i++) {
		setup();
		random_task();
		switch_task(hows[test_rng() % ARRAY_SIZE(hows)]);
		EXPECT_STREQ("no check known to this version fails", entry_check_guest_state());
		committed += fake.vmcs[VMCS_GUEST_TR_SELECTOR] == S_NEW;
		clean += paged_exception() < 0;
		if (!(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_VM) &&
		    !(fake.vmcs[VMCS_GUEST_CS_AR] & AR_TYPE_CONFORMING))
			EXPECT_EQ(FIELD_GET(AR_DPL, fake.vmcs[VMCS_GUEST_CS_AR]),
				  fake.vmcs[VMCS_GUEST_CS_SELECTOR] & SEL_RPL);
	}
	EXPECT_GE(committed, 10000);
	EXPECT_GE(clean, 500);
}

TEST_MAIN(TEST(test_random_tasks_leave_a_state_the_cpu_accepts))
