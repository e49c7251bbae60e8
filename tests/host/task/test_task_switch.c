/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/task: the SDM's tables of a task switch (conditions checked and their order; busy flag, NT,
 * link and TS), the event that a task gate takes, and random TSSs and descriptors that must leave a
 * state the CPU accepts.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/entry_check.h"
#include "core/exit/exit.h"
#include "core/task/task.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/paged.h"

#define GDT         0x10000u
#define TABLE_BYTES 0x100u
#define LDT         0x11000u
#define OLD_TSS     0x12000u
#define NEW_TSS     0x13000u
#define STACK       0x20000u

#define S_CODE   0x08u
#define S_DATA   0x10u
#define S_UCODE  0x1bu
#define S_UDATA  0x23u
#define S_OLD    0x28u
#define S_NEW    0x30u
#define S_LDT    0x38u
#define S_X      0x40u
#define S_Y      0x48u
#define S_BEYOND TABLE_BYTES

#define OLD_EIP 0x4000u
#define NEW_EIP 0x5000u
#define LEN     7u

static struct vp *const vp = &paged_vp;

static u16 get_u16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static u32 get_u32(const u8 *p)
{
	return get_u16(p) | (u32)get_u16(p + 2) << 16;
}

static void put_u16(u8 *p, u64 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static void put_u32(u8 *p, u64 v)
{
	put_u16(p, v);
	put_u16(p + 2, v >> 16);
}

static void put_u64(u8 *p, u64 v)
{
	put_u32(p, v);
	put_u32(p + 4, v >> 32);
}

static u64 *slot(u32 selector)
{
	return (u64 *)(void *)(paged_ram + GDT + (selector & SEL_INDEX));
}

static u64 desc(u32 base, u32 limit, u32 type_byte, u32 flags)
{
	return FIELD_PREP(DESC_LIMIT_LOW, (u64)limit) | FIELD_PREP(DESC_LIMIT_HIGH, limit >> 16) |
	       FIELD_PREP(DESC_BASE_LOW, (u64)base) | FIELD_PREP(DESC_BASE_HIGH, base >> 24) |
	       (u64)type_byte << 40 | (u64)flags << 52;
}

static u8 *tss(u32 at)
{
	return paged_ram + at;
}

/* How a task switch is asked for: source and, through a task gate, the event. */
struct how {
	enum task_switch_source source;
	enum intr_type type;
	u8 vector;
	bool has_code;
};

static const struct how by_call = { .source = TASK_SWITCH_CALL };
static const struct how by_jmp = { .source = TASK_SWITCH_JMP };
static const struct how by_iret = { .source = TASK_SWITCH_IRET };
static const struct how by_int = { TASK_SWITCH_IDT_GATE, INTR_TYPE_SOFT_INT, 0x30, false };
static const struct how by_irq = { TASK_SWITCH_IDT_GATE, INTR_TYPE_EXTERNAL, 0x41, false };
static const struct how by_nmi = { TASK_SWITCH_IDT_GATE, INTR_TYPE_NMI, EXC_NMI, false };
static const struct how by_ud = { TASK_SWITCH_IDT_GATE, INTR_TYPE_HARD_EXCEPTION, EXC_UD, false };
static const struct how by_gp = { TASK_SWITCH_IDT_GATE, INTR_TYPE_HARD_EXCEPTION, EXC_GP, true };
static const struct how by_bp = { TASK_SWITCH_IDT_GATE, INTR_TYPE_SOFT_EXCEPTION, EXC_BP, false };
static const struct how by_int1 = { TASK_SWITCH_IDT_GATE, INTR_TYPE_PRIV_SOFT_EXCEPTION, EXC_DB,
				    false };

static void new_tss32(void)
{
	u8 *t = tss(NEW_TSS);

	put_u32(t + TSS32_EIP, NEW_EIP);
	put_u32(t + TSS32_EFLAGS, RFLAGS_FIXED | RFLAGS_CF);
	for (u32 i = 0; i < 8; i++)
		put_u32(t + TSS32_EAX + 4 * i, 0x11110000 + i);
	put_u32(t + TSS32_EAX + 4 * 4, STACK);
	for (u32 i = 0; i < 6; i++)
		put_u16(t + TSS32_ES + 4 * i, i == 1 ? S_CODE : S_DATA);
}

static void new_tss16(void)
{
	u8 *t = tss(NEW_TSS);

	*slot(S_NEW) = desc(NEW_TSS, TSS16_BYTES - 1, 0x81, 0);
	memset(t, 0, TSS32_BYTES);
	put_u16(t + TSS16_IP, NEW_EIP);
	put_u16(t + TSS16_FLAGS, RFLAGS_FIXED);
	for (u32 i = 0; i < 8; i++)
		put_u16(t + TSS16_AX + 2 * i, (u16)(0x1600 + i));
	for (u32 i = 0; i < 4; i++)
		put_u16(t + TSS16_ES + 2 * i, i == 1 ? S_CODE : S_DATA);
}

static void setup(void)
{
	paged_reset(EMUL_32);
	ctx_init(vp, 1, &exit_table_guest);
	*slot(S_CODE) = DESC_FLAT_CODE32;
	*slot(S_DATA) = DESC_FLAT_DATA;
	*slot(S_UCODE) = DESC_FLAT_CODE32 | DESC_DPL;
	*slot(S_UDATA) = DESC_FLAT_DATA | DESC_DPL;
	*slot(S_OLD) = desc(OLD_TSS, TSS32_BYTES - 1, 0x8b, 0);
	*slot(S_NEW) = desc(NEW_TSS, TSS32_BYTES - 1, 0x89, 0);
	*slot(S_LDT) = desc(LDT, 0xff, 0x82, 0);
	*(u64 *)(void *)(paged_ram + LDT + 8) = DESC_FLAT_DATA;
	new_tss32();
	fake.vmcs[VMCS_GUEST_CR0] = CR0_PE | CR0_NE | CR0_ET;
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	fake.vmcs[VMCS_VMCS_LINK_POINTER] = VMCS_LINK_POINTER_NONE;
	fake.vmcs[VMCS_GUEST_LDTR_AR] = AR_UNUSABLE;
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = GDT;
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = TABLE_BYTES - 1;
	fake.vmcs[VMCS_GUEST_TR_SELECTOR] = S_OLD;
	fake.vmcs[VMCS_GUEST_TR_BASE] = OLD_TSS;
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS32_BYTES - 1;
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | AR_TYPE_TSS_BUSY;
	for (u32 i = 0; i < 6; i++)
		fake.vmcs[VMCS_GUEST_ES_SELECTOR + 2 * i] = i == 1 ? S_CODE : S_DATA;
	fake.vmcs[VMCS_GUEST_RIP] = OLD_EIP;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_NT | RFLAGS_ZF;
	fake.vmcs[VMCS_GUEST_DR7] = DR7_FIXED | DR7_ENABLES | DR7_LE;
	for (u32 i = 0; i < 8; i++)
		gpr_write(vp, i, 0xffffffff22220000 + i);
}

static void switch_task(const struct how *how)
{
	struct exit_info x = { .qual = S_NEW | FIELD_PREP(TASK_SWITCH_QUAL_SOURCE, how->source) };

	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = LEN;
	fake.vmcs[VMCS_IDT_VECTORING_INFO] = 0;
	if (how->source == TASK_SWITCH_IRET)
		*slot(S_NEW) |= FIELD_PREP(DESC_TYPE, (u64)DESC_TYPE_TSS_IS_BUSY);
	if (how->source == TASK_SWITCH_IDT_GATE) {
		fake.vmcs[VMCS_IDT_VECTORING_INFO] =
			INTR_INFO_VALID | FIELD_PREP(INTR_INFO_TYPE, how->type) | how->vector |
			(how->has_code ? INTR_INFO_ERROR_CODE_VALID : 0);
		fake.vmcs[VMCS_IDT_VECTORING_ERROR_CODE] = 0x4444;
		event_vectoring(vp); /* NEEDS_VECTOR */
	}
	EXPECT_EQ(EXIT_RESUME, exit_task_switch(vp, &x));
}

static u32 type_of(u32 selector)
{
	return (u32)FIELD_GET(DESC_TYPE, *slot(selector));
}

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

/* --- Faults before the commit point --- */

static u64 before[FAKE_VMCS_SIZE];

static void expect_untouched(const struct how *how, u8 vector, u32 code)
{
	u8 old_tss[TSS32_BYTES];
	u64 old_desc = *slot(S_OLD);

	memcpy(before, fake.vmcs, sizeof(before));
	memcpy(old_tss, tss(OLD_TSS), sizeof(old_tss));
	switch_task(how);
	EXPECT_EQ(vector, paged_exception());
	EXPECT_EQ(code, paged_error());
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_RF);
	fake.vmcs[VMCS_GUEST_RFLAGS] &= ~RFLAGS_RF;
	for (u32 i = 0; i < FAKE_VMCS_SIZE; i++) {
		if (vmcs_field_class(i) == VMCS_CLASS_GUEST)
			EXPECT_EQ(before[i], fake.vmcs[i]);
	}
	EXPECT_MEMEQ(old_tss, tss(OLD_TSS), sizeof(old_tss));
	EXPECT_EQ(old_desc, *slot(S_OLD));
}

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
	EXPECT_TRUE(vp->event.nmi_pending);
	setup();
	put_u16(tss(NEW_TSS) + TSS32_ES + 4, S_DATA);
	switch_task(&by_nmi);
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_FALSE(vp->event.nmi_pending);
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
}

/* --- Faults behind the commit point: each condition of the table, and their order in pairs --- */

static void sel(u32 seg, u16 selector)
{
	put_u16(tss(NEW_TSS) + TSS32_ES + 4 * seg, selector);
}

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

/* --- CR3 --- */

#define PDPT 0x30020u

static void pae(u64 entry)
{
	setup();
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_PG | CR0_WP;
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_PAE;
	fake.vmcs[VMCS_GUEST_CR3] = 0x31000;
	fake.vmcs[VMCS_GUEST_PDPTE0] = 0x32001;
	put_u64(paged_ram + 0x32000, PTE_P | PTE_W | PTE_PS); /* 2 MiB, identity */
	put_u32(tss(NEW_TSS) + TSS32_CR3, PDPT);
	put_u64(paged_ram + PDPT, 0x32001);
	put_u64(paged_ram + PDPT + 24, entry);
}

static void test_pae_pdptes_follow_cr3(void)
{
	pae(0x55001);
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(PDPT, fake.vmcs[VMCS_GUEST_CR3]);
	EXPECT_EQ(0x55001, fake.vmcs[VMCS_GUEST_PDPTE3]);
	EXPECT_EQ(1, fake.invvpids);
	pae(0x55001); /* the same CR3: the registers stay, whatever memory says */
	fake.vmcs[VMCS_GUEST_CR3] = PDPT;
	switch_task(&by_call);
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PDPTE3]);
	EXPECT_EQ(0, fake.invvpids);
	pae(0x55003); /* a reserved bit */
	expect_untouched(&by_call, EXC_GP, 0);
	pae(0x55002); /* not present: nothing is reserved */
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
}

static void test_page_faults_come_before_any_change(void)
{
	static const struct {
		u32 base; /* of the TSS that is moved */
		const struct how *how;
		u32 cr2, code;
	} rows[] = {
		{ 0x200000, &by_call, 0x200000, 0 },
		{ 0x1fffa0, &by_call, 0x200000, 0 },
		{ 0x1fffa0, &by_jmp, 0x200000, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		pae(0);
		*slot(S_NEW) = desc(rows[i].base, TSS32_BYTES - 1, 0x89, 0);
		expect_untouched(rows[i].how, EXC_PF, rows[i].code);
		EXPECT_EQ(rows[i].cr2, fake.cr2);
	}
	pae(0);
	put_u64(paged_ram + 0x32000, PTE_P | PTE_PS); /* read-only */
	expect_untouched(&by_jmp, EXC_PF, PFEC_P | PFEC_W);
	EXPECT_EQ(OLD_TSS + TSS32_EIP, fake.cr2);
}

/* Supervisor accesses also at CPL 3, and implicit ones: SMAP denies user pages even with AC. */
static void test_tables_are_accessed_as_supervisor(void)
{
	pae(0);
	fake.vmcs[VMCS_GUEST_SS_AR] |= AR_DPL;
	switch_task(&by_call);
	EXPECT_EQ(-1, paged_exception());
	pae(0);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMAP;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_AC;
	put_u64(paged_ram + 0x32000, PTE_P | PTE_W | PTE_U | PTE_PS);
	expect_untouched(&by_call, EXC_PF, PFEC_P);
	pae(0); /* only the new TSS lies in a user page */
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_SMAP;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_AC;
	put_u64(paged_ram + 0x32008, PTE_P | PTE_W | PTE_U | PTE_PS);
	*slot(S_NEW) = desc(0x200000 + NEW_TSS, TSS32_BYTES - 1, 0x89, 0);
	expect_untouched(&by_call, EXC_PF, PFEC_P);
	EXPECT_EQ(0x200000 + NEW_TSS, fake.cr2);
}

static void test_ia32e_mode_has_no_task_switch(void)
{
	struct exit_info x = { .qual = S_NEW };

	setup();
	fake.vmcs[VMCS_GUEST_EFER] = EFER_LMA | EFER_LME;
	EXPECT_EQ(EXIT_STOP, exit_task_switch(vp, &x));
}

/* --- Anything a guest writes --- */

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

/* SDM Vol. 3C, "Checks on Guest Segment Registers", what entry_check.c leaves to the CPU. */
static void expect_valid_segments(void)
{
	for (u32 i = 0; i < 8; i++) {
		u32 ar = (u32)fake.vmcs[VMCS_GUEST_ES_AR + 2 * i];
		u32 limit = (u32)fake.vmcs[VMCS_GUEST_ES_LIMIT + 2 * i];

		if (ar & AR_UNUSABLE)
			continue;
		EXPECT_EQ(0, ar & AR_RESERVED);
		EXPECT_TRUE(ar & AR_P);
		EXPECT_FALSE(!(ar & AR_G) && (limit >> 20));
		EXPECT_FALSE((ar & AR_G) && (limit & 0xfff) != 0xfff);
		EXPECT_EQ(i < 6, (ar & AR_S) != 0);
		if (i >= 6 || (fake.vmcs[VMCS_GUEST_RFLAGS] & RFLAGS_VM))
			continue;
		EXPECT_TRUE(ar & AR_TYPE_ACCESSED);
		if (i != 1)
			EXPECT_FALSE((ar & AR_TYPE_CODE) && !(ar & AR_TYPE_READABLE));
		if (i == 2)
			EXPECT_EQ(AR_TYPE_WRITABLE, ar & (AR_TYPE_CODE | AR_TYPE_WRITABLE));
	}
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
		expect_valid_segments();
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

/* Behind the commit point nothing can start again: the switch waits wherever memory is missing. */
static void test_tasks_wait_for_their_memory(void)
{
	static const u64 pages[] = { OLD_TSS, NEW_TSS, GDT, STACK - 4 };

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		u64 page = ALIGN_DOWN(pages[i], PAGE_SIZE);

		setup();
		fake_far_add(&the_partition, page, page + PAGE_SIZE);
		switch_task(&by_gp);
		EXPECT_EQ(-1, paged_exception());
		EXPECT_EQ(NEW_EIP, fake.vmcs[VMCS_GUEST_RIP]);
		EXPECT_EQ(OLD_EIP, get_u32(tss(OLD_TSS) + TSS32_EIP));
		EXPECT_EQ(0x4444, get_u32(paged_ram + STACK - 4));
		EXPECT_EQ(DESC_TYPE_TSS_BUSY, type_of(S_NEW));
		EXPECT_EQ(2, vp->counters.c[COUNTER_PAGE_WAIT]);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

TEST_MAIN(TEST(test_busy_nt_link_and_ts), TEST(test_registers_travel_between_the_tss_and_the_cpu),
	  TEST(test_16_bit_tss), TEST(test_new_tss_is_checked_first),
	  TEST(test_faults_merge_with_the_event), TEST(test_nmi_is_taken_at_the_commit_point),
	  TEST(test_iret_unblocks_nmis), TEST(test_saved_eip_and_rf_follow_the_event),
	  TEST(test_error_code_is_pushed_in_the_tss_width), TEST(test_conditions_in_the_sdm_order),
	  TEST(test_user_and_v86_tasks), TEST(test_ldt_is_loaded_before_its_segments),
	  TEST(test_t_flag_traps_with_bt), TEST(test_pae_pdptes_follow_cr3),
	  TEST(test_page_faults_come_before_any_change),
	  TEST(test_tables_are_accessed_as_supervisor), TEST(test_ia32e_mode_has_no_task_switch),
	  TEST(test_random_tasks_leave_a_state_the_cpu_accepts),
	  TEST(test_tasks_wait_for_their_memory))
