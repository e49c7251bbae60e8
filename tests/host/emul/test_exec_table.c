/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emul_table_access(): SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT and LTR that exited before their
 * access, by mode, operand size and privilege level.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/emul/exec_sim.h"

#define AT      0x20000ull /* of the operand; RAM */
#define GDT     0x30000ull
#define BASE    0xffff812345678000ull
#define TR_SEL  0x48u
#define LDT_SEL 0x58u

enum { RDX_AT = 0x02 }; /* ModRM of (%rdx), (%edx) with reg 0; of 16-bit code: (%bp,%si) */

static void user(void)
{
	fake.vmcs[VMCS_GUEST_CS_SELECTOR] |= 3;
	fake.vmcs[VMCS_GUEST_SS_SELECTOR] |= 3;
	fake.vmcs[VMCS_GUEST_CS_AR] |= 3u << 5;
	fake.vmcs[VMCS_GUEST_SS_AR] |= 3u << 5;
}

static void start(enum emul_mode mode)
{
	paged_reset(mode);
	if (mode == EMUL_64) {
		paged_map(AT, AT, RW);
		paged_map(AT + PAGE_SIZE, AT + PAGE_SIZE, RW);
		paged_map(GDT, GDT, RW);
	}
	memset(paged_ram + AT, 0xcc, 16);
	memset(paged_ram + GDT, 0, 256);
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = mode == EMUL_64 ? BASE : (u32)BASE;
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = 0x127;
	fake.vmcs[VMCS_GUEST_IDTR_BASE] = (mode == EMUL_64 ? BASE : (u32)BASE) + 0x100000;
	fake.vmcs[VMCS_GUEST_IDTR_LIMIT] = 0xfff;
	fake.vmcs[VMCS_GUEST_LDTR_SELECTOR] = LDT_SEL;
	fake.vmcs[VMCS_GUEST_TR_SELECTOR] = TR_SEL;
	paged_vp.regs.rdx = AT;
	paged_vp.regs.rbp = AT & 0xfff0; /* 16-bit code: segment AT & ~0xffff */
	paged_vp.regs.rsi = 0;
	fake.vmcs[VMCS_GUEST_SS_BASE] = mode == EMUL_16 ? AT & ~0xffffull : 0;
}

/* 0F 01 /@reg or 0F 00 /@reg with an operand in memory at AT; with 66 before it. */
static enum exit_action run(enum emul_op op, bool prefix)
{
	u32 n = op - EMUL_SGDT;
	u8 bytes[4] = { 0x66, 0x0f, n < 4 ? 0x01 : 0x00, (u8)(RDX_AT | (n & 3) << 3) };

	code(bytes + !prefix, prefix ? 4 : 3);
	return emul_table_access(&paged_vp, op);
}

static void expect_stored(const void *bytes, u32 len)
{
	EXPECT_MEMEQ(bytes, paged_ram + AT, len);
	EXPECT_EQ(0xcc, paged_ram[AT + len]);
}

static void test_sgdt_sidt(void)
{
	static const struct {
		enum emul_mode mode;
		u32 len;
	} rows[] = { { EMUL_16, 6 }, { EMUL_32, 6 }, { EMUL_64, 10 } };

	for (u32 i = 0; i < 4 * ARRAY_SIZE(rows); i++) {
		bool idt = i & 1, prefix = i & 2;
		u64 base;
		u8 want[10];
		u16 limit;

		start(rows[i / 4].mode);
		EXPECT_EQ(EXIT_NEXT_DECODED, run(idt ? EMUL_SIDT : EMUL_SGDT, prefix));
		EXPECT_EQ(3 + prefix, paged_vp.insn_len);
		base = fake.vmcs[idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE];
		limit = (u16)fake.vmcs[idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT];
		memcpy(want, &limit, 2);
		memcpy(want + 2, &base, 8);
		expect_stored(want, rows[i / 4].len);
	}
}

static void put(u16 limit, u64 base)
{
	memcpy(paged_ram + AT, &limit, 2);
	memcpy(paged_ram + AT + 2, &base, 8);
}

/* 24, 32 and 64 bits of the base. */
static void test_lgdt_lidt(void)
{
	static const struct {
		enum emul_mode mode;
		bool prefix;
		u64 base;
	} rows[] = {
		{ EMUL_16, false, 0x345678 },   { EMUL_16, true, 0x12345678 },
		{ EMUL_32, false, 0x12345678 }, { EMUL_32, true, 0x345678 },
		{ EMUL_64, false, BASE },       { EMUL_64, true, BASE },
	};

	for (u32 i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		bool idt = i & 1;

		start(rows[i / 2].mode);
		put(0xabcd, rows[i / 2].mode == EMUL_64 ? BASE : 0xeeee000012345678);
		EXPECT_EQ(EXIT_NEXT_DECODED, run(idt ? EMUL_LIDT : EMUL_LGDT, rows[i / 2].prefix));
		EXPECT_EQ(rows[i / 2].base,
			  fake.vmcs[idt ? VMCS_GUEST_IDTR_BASE : VMCS_GUEST_GDTR_BASE]);
		EXPECT_EQ(0xabcd, fake.vmcs[idt ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT]);
		EXPECT_EQ(idt ? 0x127 : 0xfff,
			  fake.vmcs[idt ? VMCS_GUEST_GDTR_LIMIT : VMCS_GUEST_IDTR_LIMIT]);
	}
}

/* A base that is not canonical, a user, a page that is not there: nothing has changed. */
static void test_lgdt_faults(void)
{
	start(EMUL_64);
	put(7, 0x800000000000);
	EXPECT_EQ(EXIT_RESUME, run(EMUL_LGDT, false));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(0, paged_error());
	EXPECT_EQ(BASE, fake.vmcs[VMCS_GUEST_GDTR_BASE]);

	start(EMUL_64);
	user();
	EXPECT_EQ(EXIT_RESUME, run(EMUL_LIDT, false));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(0xfff, fake.vmcs[VMCS_GUEST_IDTR_LIMIT]);

	start(EMUL_64);
	paged_vp.regs.rdx = AT + 2 * PAGE_SIZE - 9; /* the last byte is on a page that is not */
	EXPECT_EQ(EXIT_RESUME, run(EMUL_LIDT, false));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(AT + 2 * PAGE_SIZE, fake.cr2);
}

/* Not one byte is written if the last one faults. */
static void test_sgdt_faults(void)
{
	start(EMUL_64);
	paged_ram[AT + 2 * PAGE_SIZE - 9] = 0xcc;
	paged_vp.regs.rdx = AT + 2 * PAGE_SIZE - 9;
	EXPECT_EQ(EXIT_RESUME, run(EMUL_SGDT, false));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_W, paged_error());
	EXPECT_EQ(0xcc, paged_ram[AT + 2 * PAGE_SIZE - 9]);

	start(EMUL_64); /* a user's page is asked for */
	paged_map(AT, AT, PTE_P | PTE_W);
	user();
	EXPECT_EQ(EXIT_RESUME, run(EMUL_SIDT, false));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_P | PFEC_W | PFEC_U, paged_error());

	start(EMUL_32);
	fake.vmcs[VMCS_GUEST_DS_LIMIT] = AT + 4;
	EXPECT_EQ(EXIT_RESUME, run(EMUL_SGDT, false));
	EXPECT_EQ(EXC_GP, paged_exception());
}

/* Only at CPL 3, with CR0.AM and EFLAGS.AC: the limit by 2, the base by its size. */
static void test_alignment(void)
{
	for (u32 i = 0; i < 8 * 16; i++) {
		bool am = i & 1, ac = i & 2, is_user = i & 4, sldt = (i >> 3) & 1;
		u32 off = i >> 4;
		bool aligned = sldt ? off % 2 == 0 : off == 6;

		start(EMUL_64);
		fake.vmcs[VMCS_GUEST_CR0] |= am ? CR0_AM : 0;
		fake.vmcs[VMCS_CR0_READ_SHADOW] |= am ? CR0_AM : 0;
		fake.vmcs[VMCS_GUEST_RFLAGS] |= ac ? RFLAGS_AC : 0;
		if (is_user)
			user();
		paged_vp.regs.rdx = AT + off;
		if (am && ac && is_user && !aligned) {
			EXPECT_EQ(EXIT_RESUME, run(sldt ? EMUL_SLDT : EMUL_SGDT, false));
			EXPECT_EQ(EXC_AC, paged_exception());
			EXPECT_EQ(0xcc, paged_ram[AT + off]);
		} else {
			EXPECT_EQ(EXIT_NEXT_DECODED, run(sldt ? EMUL_SLDT : EMUL_SGDT, false));
			EXPECT_EQ(-1, paged_exception());
		}
	}
}

static void test_sldt_str_memory(void)
{
	static const u8 ldt[2] = { LDT_SEL, 0 }, tr[2] = { TR_SEL, 0 };

	for (u32 i = 0; i < 4; i++) { /* two bytes, whatever the size */
		start(i & 1 ? EMUL_64 : EMUL_32);
		EXPECT_EQ(EXIT_NEXT_DECODED, run(EMUL_SLDT, i & 2));
		expect_stored(ldt, 2);
		start(i & 1 ? EMUL_64 : EMUL_32);
		EXPECT_EQ(EXIT_NEXT_DECODED, run(EMUL_STR, i & 2));
		expect_stored(tr, 2);
	}
}

static void test_sldt_str_register(void)
{
	start(EMUL_64);
	paged_vp.regs.rcx = paged_vp.regs.r8 = ~0ull;
	CODE(0x0f, 0x00, 0xc1); /* sldt ecx */
	EXPECT_EQ(EXIT_NEXT_DECODED, emul_table_access(&paged_vp, EMUL_SLDT));
	EXPECT_EQ(LDT_SEL, paged_vp.regs.rcx);
	CODE(0x49, 0x0f, 0x00, 0xc8); /* str r8 */
	EXPECT_EQ(EXIT_NEXT_DECODED, emul_table_access(&paged_vp, EMUL_STR));
	EXPECT_EQ(TR_SEL, paged_vp.regs.r8);
	paged_vp.regs.rcx = ~0ull;
	CODE(0x66, 0x0f, 0x00, 0xc1); /* sldt cx */
	EXPECT_EQ(EXIT_NEXT_DECODED, emul_table_access(&paged_vp, EMUL_SLDT));
	EXPECT_EQ(0xffffffffffff0000 | LDT_SEL, paged_vp.regs.rcx);
}

static void describe(u32 selector, u64 desc, u64 high)
{
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = GDT;
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = 0xff;
	memcpy(paged_ram + GDT + selector, &desc, 8);
	memcpy(paged_ram + GDT + selector + 8, &high, 8);
}

/* LTR and LLDT of a register; the descriptor's checks are those of memory operands. */
static void test_ltr_lldt(void)
{
	for (u32 mode = EMUL_32; mode <= EMUL_64; mode++) {
		u64 high = mode == EMUL_64 ? 0xffff8000 : 0;

		start((enum emul_mode)mode);
		describe(0x40, desc_system_low(0x12345000, 0x67, DESC_TYPE_TSS_AVAIL), high);
		paged_vp.regs.rcx = 0xffff0040;
		CODE(0x0f, 0x00, 0xd9); /* ltr cx */
		EXPECT_EQ(EXIT_NEXT_DECODED, emul_table_access(&paged_vp, EMUL_LTR));
		EXPECT_EQ(0x40, fake.vmcs[VMCS_GUEST_TR_SELECTOR]);
		EXPECT_EQ(high << 32 | 0x12345000, fake.vmcs[VMCS_GUEST_TR_BASE]);
		EXPECT_EQ(0x8b, paged_ram[GDT + 0x40 + 5]); /* busy */
		EXPECT_EQ(EXIT_RESUME, emul_table_access(&paged_vp, EMUL_LTR));
		EXPECT_EQ(EXC_GP, paged_exception()); /* as it is busy */
		EXPECT_EQ(0x40, paged_error());

		start((enum emul_mode)mode);
		describe(0x40, desc_system_low(0x12345000, 0x1f, DESC_TYPE_LDT) & ~DESC_P, 0);
		paged_vp.regs.rcx = 0x40;
		CODE(0x0f, 0x00, 0xd1); /* lldt cx */
		EXPECT_EQ(EXIT_RESUME, emul_table_access(&paged_vp, EMUL_LLDT));
		EXPECT_EQ(EXC_NP, paged_exception());
		EXPECT_EQ(0x40, paged_error());
		EXPECT_EQ(LDT_SEL, fake.vmcs[VMCS_GUEST_LDTR_SELECTOR]);
		paged_vp.regs.rcx = 3; /* null */
		paged_vp.event.info = 0;
		EXPECT_EQ(EXIT_NEXT_DECODED, emul_table_access(&paged_vp, EMUL_LLDT));
		EXPECT_EQ(3, fake.vmcs[VMCS_GUEST_LDTR_SELECTOR]);
		EXPECT_TRUE(fake.vmcs[VMCS_GUEST_LDTR_AR] & AR_UNUSABLE);
	}
}

static void test_no_descriptors(void)
{
	for (u32 op = EMUL_SLDT; op <= EMUL_LTR; op++) {
		start(EMUL_16);
		EXPECT_EQ(EXIT_RESUME, run((enum emul_op)op, false));
		EXPECT_EQ(EXC_UD, paged_exception());
	}
}

/* Other bytes than those that exited: nothing is emulated, the CPU executes them. */
static void test_code_has_changed(void)
{
	start(EMUL_64);
	CODE(0x0f, 0x01, 0x02); /* sgdt */
	EXPECT_EQ(EXIT_RESUME, emul_table_access(&paged_vp, EMUL_SIDT));
	CODE(0x88, 0x02); /* mov [rdx], al */
	EXPECT_EQ(EXIT_RESUME, emul_table_access(&paged_vp, EMUL_SGDT));
	CODE(0x0f, 0x0b); /* ud2 */
	EXPECT_EQ(EXIT_RESUME, emul_table_access(&paged_vp, EMUL_SGDT));
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(0xcc, paged_ram[AT]);
}

/* A device of the machine: the caller decides. */
static void test_device_memory(void)
{
	start(EMUL_64);
	paged_map(0x5000000, 0xfd000000, RW);
	paged_vp.regs.rdx = 0x5000000;
	EXPECT_EQ(EXIT_UNHANDLED, run(EMUL_SGDT, false));
	EXPECT_EQ(EXIT_UNHANDLED, run(EMUL_LTR, false));
}

TEST_MAIN(TEST(test_sgdt_sidt), TEST(test_lgdt_lidt), TEST(test_lgdt_faults),
	  TEST(test_sgdt_faults), TEST(test_alignment), TEST(test_sldt_str_memory),
	  TEST(test_sldt_str_register), TEST(test_ltr_lldt), TEST(test_no_descriptors),
	  TEST(test_code_has_changed), TEST(test_device_memory))
