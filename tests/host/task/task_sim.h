/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Two tasks for the tests of core/task in the guest of paged.h: a GDT, an LDT, the TSS that runs
 * (OLD) and the TSS that is asked for (NEW), and every way to ask for it.
 */
#pragma once

#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/exit/exit.h"
#include "core/task/task.h"
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

static inline u16 get_u16(const u8 *p)
{
	return (u16)(p[0] | p[1] << 8);
}

static inline u32 get_u32(const u8 *p)
{
	return get_u16(p) | (u32)get_u16(p + 2) << 16;
}

static inline void put_u16(u8 *p, u64 v)
{
	p[0] = (u8)v;
	p[1] = (u8)(v >> 8);
}

static inline void put_u32(u8 *p, u64 v)
{
	put_u16(p, v);
	put_u16(p + 2, v >> 16);
}

static inline u64 *slot(u32 selector)
{
	return (u64 *)(void *)(paged_ram + GDT + (selector & SEL_INDEX));
}

static inline u64 desc(u32 base, u32 limit, u32 type_byte, u32 flags)
{
	return FIELD_PREP(DESC_LIMIT_LOW, (u64)limit) | FIELD_PREP(DESC_LIMIT_HIGH, limit >> 16) |
	       FIELD_PREP(DESC_BASE_LOW, (u64)base) | FIELD_PREP(DESC_BASE_HIGH, base >> 24) |
	       (u64)type_byte << 40 | (u64)flags << 52;
}

static inline u8 *tss(u32 at)
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
static const struct how by_ac = { TASK_SWITCH_IDT_GATE, INTR_TYPE_HARD_EXCEPTION, EXC_AC, true };
static const struct how by_bp = { TASK_SWITCH_IDT_GATE, INTR_TYPE_SOFT_EXCEPTION, EXC_BP, false };
static const struct how by_int1 = { TASK_SWITCH_IDT_GATE, INTR_TYPE_PRIV_SOFT_EXCEPTION, EXC_DB,
				    false };

static inline void new_tss32(void)
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

static inline void new_tss16(void)
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

static inline void setup(void)
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

static inline void switch_task(const struct how *how)
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

static inline u32 type_of(u32 selector)
{
	return (u32)FIELD_GET(DESC_TYPE, *slot(selector));
}

static inline void sel(u32 seg, u16 selector)
{
	put_u16(tss(NEW_TSS) + TSS32_ES + 4 * seg, selector);
}

/* The switch ends in fault @vector with @code and has changed nothing: no guest field, no task. */
static inline void expect_untouched(const struct how *how, u8 vector, u32 code)
{
	static u64 before[FAKE_VMCS_SIZE];
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
