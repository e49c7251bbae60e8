/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: the SDM's table of conditions that a task switch checks, and their order: those of the
 * new TSS, before the commit point, leave the old task untouched; those of its segments, behind it,
 * are faults of the new task.
 */
#include "core/exit/entry_check.h"
#include "tests/host/task/task_sim.h"

static void test_new_tss_is_checked_first(void)
{
	static const struct {
		u64 desc;
		u8 vector, iret_vector;
	} rows[] = {
		{ 0, EXC_GP, EXC_TS },
		{ DESC_FLAT_DATA, EXC_GP, EXC_TS },
		{ DESC_P | FIELD_PREP(DESC_TYPE, 2ull), EXC_GP, EXC_TS },
		{ FIELD_PREP(DESC_TYPE, 9ull), EXC_NP, EXC_NP },
		{ DESC_P | FIELD_PREP(DESC_TYPE, 9ull) | (TSS32_BYTES - 2), EXC_TS, EXC_TS },
		{ DESC_P | FIELD_PREP(DESC_TYPE, 1ull) | (TSS16_BYTES - 2), EXC_TS, EXC_TS },
	};
	static const struct how *const hows[] = { &by_call, &by_jmp, &by_iret, &by_int,
						  &by_irq,  &by_ud,  &by_int1, &by_bp };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(hows); j++) {
			const struct how *h = hows[j];
			bool external = h == &by_irq || h == &by_ud || h == &by_int1;

			setup();
			*slot(S_NEW) = rows[i].desc;
			expect_untouched(h, h == &by_iret ? rows[i].iret_vector : rows[i].vector,
					 S_NEW | (external ? ERROR_CODE_EXT : 0));
		}
	}
	setup(); /* busy, and not busy */
	*slot(S_NEW) = desc(NEW_TSS, TSS32_BYTES - 1, 0x8b, 0);
	expect_untouched(&by_jmp, EXC_GP, S_NEW);
	setup(); /* outside the GDT */
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = S_NEW + 6;
	expect_untouched(&by_call, EXC_GP, S_NEW);
	setup();
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS32_ES + 5 * 4;
	expect_untouched(&by_call, EXC_TS, S_OLD);
	setup(); /* GS is the last that is saved */
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS32_ES + 5 * 4 + 1;
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
}

/* --- Behind the commit point: each condition of the table, and their order in pairs --- */

static void ldt_invalid(void)
{
	put_u16(tss(NEW_TSS) + TSS32_LDT, S_DATA);
}

static void cs_dpl(void)
{
	*slot(S_X) = DESC_FLAT_CODE32 | DESC_DPL;
	sel(1, S_X);
}

static void ss_invalid(void)
{
	sel(2, S_CODE);
}

static void ss_absent(void)
{
	*slot(S_Y) = DESC_FLAT_DATA & ~DESC_P;
	sel(2, S_Y);
}

static void ss_dpl(void)
{
	sel(2, S_UDATA & ~3u);
}

static void ldt_absent(void)
{
	*slot(S_LDT) &= ~DESC_P;
	put_u16(tss(NEW_TSS) + TSS32_LDT, S_LDT);
}

static void cs_invalid(void)
{
	sel(1, S_DATA);
}

static void cs_absent(void)
{
	*slot(S_X) = DESC_FLAT_CODE32 & ~DESC_P;
	sel(1, S_X);
}

static void ss_rpl(void)
{
	sel(2, S_DATA | 2);
}

static void ds_invalid(void)
{
	*slot(S_BEYOND) = DESC_FLAT_DATA; /* good, but the GDT ends before it */
	sel(3, S_BEYOND);
}

static void es_system(void)
{
	sel(0, S_OLD);
}

static void fs_unreadable(void)
{
	*slot(0x50) = DESC_FLAT_CODE32 & ~FIELD_PREP(DESC_TYPE, 2ull);
	sel(4, 0x50);
}

static void gs_absent(void)
{
	*slot(0x58) = DESC_FLAT_DATA & ~DESC_P;
	sel(5, 0x58);
}

static void gs_dpl(void)
{
	sel(5, S_DATA | 3);
}

static void eip_outside(void)
{
	*slot(S_CODE) = desc(0, NEW_EIP - 1, 0x9b, 4);
}

/* SDM Vol. 3A, table "Exception Conditions Checked During a Task Switch", in its order. */
static const struct defect {
	void (*make)(void);
	u8 vector;
	u16 selector;
	char what; /* the register: two defects of one exclude each other */
} defects[] = {
	{ ldt_invalid, EXC_TS, S_DATA, 'l' }, { cs_dpl, EXC_TS, S_X, 'c' },
	{ ss_invalid, EXC_TS, S_CODE, 's' },  { ss_absent, EXC_SS, S_Y, 's' },
	{ ss_dpl, EXC_TS, S_UDATA, 's' },     { ldt_absent, EXC_TS, S_LDT, 'l' },
	{ cs_invalid, EXC_TS, S_DATA, 'c' },  { cs_absent, EXC_NP, S_X, 'c' },
	{ ss_rpl, EXC_TS, S_DATA, 's' },      { ds_invalid, EXC_TS, S_BEYOND, 'd' },
	{ es_system, EXC_TS, S_OLD, 'e' },    { fs_unreadable, EXC_TS, 0x50, 'f' },
	{ gs_absent, EXC_NP, 0x58, 'g' },     { gs_dpl, EXC_TS, S_DATA, 'g' },
	{ eip_outside, EXC_GP, 0, 'i' },
};

static void expect_defect(const struct defect *d)
{
	switch_task(&by_call);
	EXPECT_EQ(d->vector, paged_exception());
	EXPECT_EQ(d->selector & 0xfffcu, paged_error());
	EXPECT_EQ(S_NEW, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
	EXPECT_EQ(NEW_EIP, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0x11110003, vp->regs.rbx);
	EXPECT_EQ(DESC_TYPE_TSS_BUSY, type_of(S_NEW));
	EXPECT_EQ(S_OLD, get_u16(tss(NEW_TSS)));
	EXPECT_EQ(OLD_EIP + LEN, get_u32(tss(OLD_TSS) + TSS32_EIP));
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	/* Selectors are loaded, whatever became of the descriptors. */
	for (u32 i = 0; i < 6; i++) {
		if (i != 1)
			EXPECT_EQ(get_u16(tss(NEW_TSS) + TSS32_ES + 4 * i),
				  fake.vmcs[VMCS_GUEST_ES_SELECTOR + 2 * i]);
	}
	EXPECT_STREQ("no check known to this version fails", entry_check_guest_state());
}

static void test_conditions_in_the_sdm_order(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(defects); i++) {
		setup();
		defects[i].make();
		expect_defect(&defects[i]);
		for (size_t j = i + 1; j < ARRAY_SIZE(defects); j++) {
			if (defects[i].what == defects[j].what)
				continue;
			setup();
			defects[j].make();
			defects[i].make();
			expect_defect(&defects[i]);
		}
	}
}

TEST_MAIN(TEST(test_new_tss_is_checked_first), TEST(test_conditions_in_the_sdm_order))
