/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events delivered in software onto a stack on an emulated page: frames, stacks, flags and faults
 * in 64- and 32-bit protected mode.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "tests/host/emul/exec_sim.h"

#define GDT_GPA   NEXT_GPA
#define IDT_GPA   (NEXT_GPA + 0x200)
#define TSS_GPA   (PREV_GPA + 0x100)
#define GDT       ((u64 *)(void *)(paged_ram + GDT_GPA))
#define TSS       (paged_ram + TSS_GPA)
#define KCODE     0x08
#define KDATA     0x10
#define UCODE     0x1b
#define UDATA     0x23
#define VEC       0x30
#define HANDLER   0x12345678u
#define INTERRUPT (INTR_INFO_VALID | VEC)

static u64 linear(u64 gpa, u64 gva)
{
	return (fake.vmcs[VMCS_GUEST_CR0] & CR0_PG) ? gva : gpa;
}

static void set_gate(u32 vector, u64 type, u32 ist, u32 dpl)
{
	bool wide = (fake.vmcs[VMCS_GUEST_EFER] & EFER_LMA) != 0;
	u64 *gate = (u64 *)(void *)(paged_ram + IDT_GPA + vector * (wide ? 16 : 8));

	gate[0] = idt_gate_make(HANDLER, KCODE, (u8)ist).low & ~GATE_TYPE;
	gate[0] |= FIELD_PREP(GATE_TYPE, type) | FIELD_PREP(GATE_DPL, dpl);
	if (wide)
		gate[1] = 0x7f;
}

static void begin(enum emul_mode mode)
{
	static const struct page_range r = { PAGE_GPA, PAGE_GPA + PAGE_SIZE, PAGE_EMULATED,
					     .mem = &mem };
	bool wide = mode == EMUL_64;

	if (wide)
		setup();
	else
		paged_reset(mode);
	EXPECT_EQ(ERR_NONE, range_add(&the_partition, &r));
	memset(page, 0x55, sizeof(page));
	memset(paged_ram + NEXT_GPA, 0, PAGE_SIZE);
	memset(paged_ram + PREV_GPA, 0, PAGE_SIZE);
	GDT[KCODE >> 3] = wide ? DESC_FLAT_CODE64 : DESC_FLAT_CODE32;
	GDT[KDATA >> 3] = DESC_FLAT_DATA;
	GDT[UCODE >> 3] = GDT[KCODE >> 3] | DESC_DPL;
	GDT[UDATA >> 3] = DESC_FLAT_DATA | DESC_DPL;
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = linear(GDT_GPA, NEXT_GVA);
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = 0xff;
	fake.vmcs[VMCS_GUEST_IDTR_BASE] = linear(IDT_GPA, NEXT_GVA + 0x200);
	fake.vmcs[VMCS_GUEST_IDTR_LIMIT] = (wide ? 16 : 8) * (VEC + 1) - 1;
	fake.vmcs[VMCS_GUEST_TR_BASE] = linear(TSS_GPA, PREV_GVA + 0x100);
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = 0x67;
	fake.vmcs[VMCS_GUEST_TR_SELECTOR] = 0x80;
	fake.vmcs[VMCS_GUEST_TR_AR] = AR_P | DESC_TYPE_TSS_BUSY;
	fake.vmcs[VMCS_GUEST_CS_SELECTOR] = KCODE;
	fake.vmcs[VMCS_GUEST_SS_SELECTOR] = KDATA;
	fake.vmcs[VMCS_GUEST_RIP] = 0x4000;
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_CF;
	fake.vmcs[VMCS_GUEST_RSP] = linear(PAGE_GPA, PAGE_GVA) + 0x80c;
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] = GUEST_INTR_BLOCKED_BY_STI;
	set_gate(VEC, DESC_TYPE_INTR_GATE, 0, 0);
}

static void user_mode(void)
{
	fake.vmcs[VMCS_GUEST_CS_SELECTOR] = UCODE;
	fake.vmcs[VMCS_GUEST_SS_SELECTOR] = UDATA;
	fake.vmcs[VMCS_GUEST_SS_AR] |= AR_DPL;
	fake.vmcs[VMCS_GUEST_RSP] = 0x7fff8;
}

static err_t deliver(u32 info, u32 error, u32 len)
{
	paged_vp.event.queued = (struct event_queued){ info, error, len };
	return emul_deliver(&paged_vp);
}

static u32 exception(u32 vector, bool code)
{
	return INTR_INFO_VALID | (u32)FIELD_PREP(INTR_INFO_TYPE, INTR_TYPE_HARD_EXCEPTION) |
	       vector | (code ? INTR_INFO_ERROR_CODE_VALID : 0);
}

/* @width bytes of the page at @at. */
static u64 word(u32 at, u32 width)
{
	u64 val = 0;

	memcpy(&val, page + at, width);
	return val;
}

static void expect_handler(u64 rip, u64 rsp, u64 flags)
{
	EXPECT_EQ(0, paged_vp.event.info);
	EXPECT_EQ(rip, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(rsp, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(flags, fake.vmcs[VMCS_GUEST_RFLAGS]);
	EXPECT_EQ(KCODE, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(0, vp_cpl(&paged_vp));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] & INTERRUPT_SHADOW);
}

#define HANDLER64 (0x7f00000000ull | HANDLER)

static void test_interrupt_in_64_bit_mode(void)
{
	begin(EMUL_64);
	EXPECT_EQ(ERR_NONE, deliver(INTERRUPT, 0, 0));
	expect_handler(HANDLER64, PAGE_GVA + 0x800 - 40, RFLAGS_FIXED | RFLAGS_CF);
	EXPECT_EQ(0x4000, word(0x7d8, 8));
	EXPECT_EQ(KCODE, word(0x7e0, 8));
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_NT | RFLAGS_CF, word(0x7e8, 8));
	EXPECT_EQ(PAGE_GVA + 0x80c, word(0x7f0, 8)); /* aligned below that */
	EXPECT_EQ(KDATA, word(0x7f8, 8));
	EXPECT_EQ(0x5555555555555555, word(0x7d0, 8));
	EXPECT_EQ(KDATA, fake.vmcs[VMCS_GUEST_SS_SELECTOR]);
}

/* From CPL 3 the stack comes from the TSS and SS becomes null; a fault saves RF. */
static void test_exception_of_user_in_64_bit_mode(void)
{
	u64 rsp0 = PAGE_GVA + 0x400;

	begin(EMUL_64);
	user_mode();
	set_gate(EXC_PF, DESC_TYPE_TRAP_GATE, 0, 0);
	memcpy(TSS + TSS64_RSP0, &rsp0, 8);
	EXPECT_EQ(ERR_NONE, deliver(exception(EXC_PF, true), 7, 0));
	expect_handler(HANDLER64, PAGE_GVA + 0x400 - 48, RFLAGS_FIXED | RFLAGS_CF | RFLAGS_IF);
	EXPECT_EQ(7, word(0x3d0, 8));
	EXPECT_EQ(UCODE, word(0x3e0, 8));
	EXPECT_TRUE(word(0x3e8, 8) & RFLAGS_RF);
	EXPECT_EQ(0x7fff8, word(0x3f0, 8));
	EXPECT_EQ(UDATA, word(0x3f8, 8));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_SS_SELECTOR]);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_SS_AR] & AR_UNUSABLE);
}

static void test_nmi_on_an_interrupt_stack(void)
{
	u64 ist = PAGE_GVA + 0x608;

	begin(EMUL_64);
	set_gate(EXC_NMI, DESC_TYPE_INTR_GATE, 3, 0);
	memcpy(TSS + TSS64_IST1 + 16, &ist, 8);
	EXPECT_EQ(
		ERR_NONE,
		deliver(INTR_INFO_VALID | (u32)FIELD_PREP(INTR_INFO_TYPE, INTR_TYPE_NMI) | EXC_NMI,
			0, 0));
	expect_handler(HANDLER64, PAGE_GVA + 0x600 - 40, RFLAGS_FIXED | RFLAGS_CF);
	EXPECT_EQ(PAGE_GVA + 0x80c, word(0x5f0, 8));
	EXPECT_EQ(GUEST_INTR_BLOCKED_BY_NMI, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
}

static void test_software_interrupt(void)
{
	u32 int_n = INTR_INFO_VALID | (u32)FIELD_PREP(INTR_INFO_TYPE, INTR_TYPE_SOFT_INT) | VEC;

	begin(EMUL_64);
	EXPECT_EQ(ERR_NONE, deliver(int_n, 0, 2));
	EXPECT_EQ(0x4002, word(0x7d8, 8));

	begin(EMUL_64); /* the gate is not for CPL 3; EXT is 0 */
	user_mode();
	EXPECT_EQ(ERR_FAULT, deliver(int_n, 0, 2));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(VEC << 3 | ERROR_CODE_IDT, paged_error());
}

static void expect_fault(u32 info, int vector, u32 error)
{
	EXPECT_EQ(ERR_FAULT, deliver(info, 0, 0));
	EXPECT_EQ(vector, paged_exception());
	EXPECT_EQ(error, paged_error());
	EXPECT_EQ(0x4000, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(PAGE_GVA + 0x80c, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(0x5555555555555555, word(0x7f8, 8));
}

static void test_faults_name_gate_or_selector(void)
{
	u64 *gate = (u64 *)(void *)(paged_ram + IDT_GPA + VEC * 16);

	begin(EMUL_64);
	fake.vmcs[VMCS_GUEST_IDTR_LIMIT]--;
	expect_fault(INTERRUPT, EXC_GP, VEC << 3 | ERROR_CODE_IDT | ERROR_CODE_EXT);
	begin(EMUL_64);
	gate[0] &= ~GATE_P;
	expect_fault(INTERRUPT, EXC_NP, VEC << 3 | ERROR_CODE_IDT | ERROR_CODE_EXT);
	begin(EMUL_64);
	set_gate(VEC, DESC_TYPE_INTR_GATE16, 0, 0); /* not in IA-32e mode */
	expect_fault(INTERRUPT, EXC_GP, VEC << 3 | ERROR_CODE_IDT | ERROR_CODE_EXT);
	begin(EMUL_64);
	GDT[KCODE >> 3] &= ~DESC_P;
	expect_fault(INTERRUPT, EXC_NP, KCODE | ERROR_CODE_EXT);
	begin(EMUL_64);
	GDT[KCODE >> 3] = DESC_FLAT_CODE32;
	expect_fault(INTERRUPT, EXC_GP, KCODE | ERROR_CODE_EXT);
	begin(EMUL_64);
	gate[1] = 0x12345678; /* not canonical */
	expect_fault(INTERRUPT, EXC_GP, ERROR_CODE_EXT);
	begin(EMUL_64);
	set_gate(VEC, DESC_TYPE_INTR_GATE, 7, 0);
	fake.vmcs[VMCS_GUEST_TR_LIMIT] = TSS64_IST1 + 8 * 7 - 2;
	expect_fault(INTERRUPT, EXC_TS, 0x80 | ERROR_CODE_EXT);
	begin(EMUL_64); /* it merges with what was being delivered */
	set_gate(EXC_GP, DESC_TYPE_INTR_GATE, 0, 0);
	GDT[KCODE >> 3] &= ~DESC_P;
	expect_fault(exception(EXC_GP, true), EXC_DF, 0);
}

#define GATE_32 (RFLAGS_FIXED | RFLAGS_CF)

static void test_32_bit_protected_mode(void)
{
	u32 esp0 = PAGE_GPA + 0x400, ss0 = KDATA;

	begin(EMUL_32);
	EXPECT_EQ(ERR_NONE, deliver(exception(VEC, true), 0x99, 0));
	expect_handler(HANDLER, PAGE_GPA + 0x80c - 16, GATE_32);
	EXPECT_EQ(0x99, word(0x7fc, 4));
	EXPECT_EQ(0x4000, word(0x800, 4));
	EXPECT_EQ(KCODE, word(0x804, 4));
	EXPECT_TRUE(word(0x808, 4) & RFLAGS_TF);
	EXPECT_EQ(0x55555555, word(0x80c, 4));

	begin(EMUL_32);
	user_mode();
	set_gate(VEC, DESC_TYPE_TRAP_GATE, 0, 0);
	memcpy(TSS + 4, &esp0, 4);
	memcpy(TSS + 8, &ss0, 4);
	EXPECT_EQ(ERR_NONE, deliver(INTERRUPT, 0, 0));
	expect_handler(HANDLER, esp0 - 20, GATE_32 | RFLAGS_IF);
	EXPECT_EQ(UCODE, word(0x3f0, 4));
	EXPECT_EQ(0x7fff8, word(0x3f8, 4));
	EXPECT_EQ(UDATA, word(0x3fc, 4));
	EXPECT_EQ(KDATA, fake.vmcs[VMCS_GUEST_SS_SELECTOR]);

	begin(EMUL_32);
	set_gate(VEC, DESC_TYPE_INTR_GATE16, 0, 0);
	EXPECT_EQ(ERR_NONE, deliver(INTERRUPT, 0, 0));
	expect_handler(HANDLER & 0xffff, PAGE_GPA + 0x80c - 6, GATE_32);
	EXPECT_EQ(0x4000, word(0x806, 2));
}

static void test_32_bit_stack_faults(void)
{
	u32 ss0 = UDATA;

	begin(EMUL_32);
	fake.vmcs[VMCS_GUEST_SS_LIMIT] = PAGE_GPA + 0x80a;
	EXPECT_EQ(ERR_FAULT, deliver(INTERRUPT, 0, 0));
	EXPECT_EQ(EXC_SS, paged_exception());
	EXPECT_EQ(ERROR_CODE_EXT, paged_error());
	begin(EMUL_32);
	user_mode();
	memcpy(TSS + 8, &ss0, 4);
	EXPECT_EQ(ERR_FAULT, deliver(INTERRUPT, 0, 0));
	EXPECT_EQ(EXC_TS, paged_exception());
	EXPECT_EQ((UDATA & ~3u) | ERROR_CODE_EXT, paged_error());
}

static void test_other_modes_are_declined(void)
{
	begin(EMUL_32);
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_VM;
	EXPECT_EQ(ERR_NODEV, deliver(INTERRUPT, 0, 0));
	begin(EMUL_16);
	EXPECT_EQ(ERR_NODEV, deliver(INTERRUPT, 0, 0));
	EXPECT_EQ(INTERRUPT, paged_vp.event.info);
}

TEST_MAIN(TEST(test_interrupt_in_64_bit_mode), TEST(test_exception_of_user_in_64_bit_mode),
	  TEST(test_nmi_on_an_interrupt_stack), TEST(test_software_interrupt),
	  TEST(test_faults_name_gate_or_selector), TEST(test_32_bit_protected_mode),
	  TEST(test_32_bit_stack_faults), TEST(test_other_modes_are_declined))
