/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Control transfers with the stack or pointer on an emulated page: what testdev_flow_* cannot show
 * on one CPU at CPL 0, returns to less privileged code, 32-bit and real mode, nested ENTER, and
 * what is declined.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/segment.h"
#include "core/exit/exit.h"
#include "tests/host/emul/exec_sim.h"

#define GDT_GVA NEXT_GVA
#define GDT     ((u64 *)(void *)(paged_ram + NEXT_GPA))
#define CODE64  0x08
#define DATA    0x10
#define UCODE64 0x1b
#define UDATA   0x23
#define CODE32  0x28
#define GATE    0x30
#define UCODE32 0x3b
#define DESC_A  FIELD_PREP(DESC_TYPE, 1) /* accessed */
#define TARGET  0x123456ull

static void fill_gdt(void)
{
	memset(GDT, 0, 0x100);
	GDT[CODE64 >> 3] = DESC_FLAT_CODE64 & ~DESC_A;
	GDT[DATA >> 3] = DESC_FLAT_DATA & ~DESC_A;
	GDT[UCODE64 >> 3] = (DESC_FLAT_CODE64 & ~DESC_A) | DESC_DPL;
	GDT[UDATA >> 3] = (DESC_FLAT_DATA & ~DESC_A) | DESC_DPL;
	GDT[CODE32 >> 3] = DESC_FLAT_CODE32;
	GDT[UCODE32 >> 3] = DESC_FLAT_CODE32 | DESC_DPL;
	GDT[GATE >> 3] = DESC_P | FIELD_PREP(DESC_TYPE, DESC_TYPE_CALL_GATE);
}

static void begin(void)
{
	setup();
	memset(page, 0, sizeof(page));
	fill_gdt();
	fake.vmcs[VMCS_GUEST_GDTR_BASE] = GDT_GVA;
	fake.vmcs[VMCS_GUEST_GDTR_LIMIT] = 0xff;
	fake.vmcs[VMCS_GUEST_CS_SELECTOR] = CODE64;
	fake.vmcs[VMCS_GUEST_RSP] = PAGE_GVA + 0x800;
	paged_vp.regs.rbx = PAGE_GVA + 0x100;
}

static void put(u32 at, u64 val)
{
	memcpy(page + at, &val, 8);
}

static u64 get(u32 at)
{
	u64 val;

	memcpy(&val, page + at, 8);
	return val;
}

static void iret_frame(u64 cs, u64 flags, u64 sp, u64 ss)
{
	put(0x800, TARGET);
	put(0x808, cs);
	put(0x810, flags);
	put(0x818, sp);
	put(0x820, ss);
}

/* IRETQ, which loads its frame and retires. */
static void iret(void)
{
	enum exit_action action;

	CODE(0x48, 0xcf);
	action = emulate(PAGE_GPA + 0x800);
	EXPECT_EQ(EXIT_NEXT_IRET, action);
	EXPECT_EQ(-1, paged_exception());
	exit_complete(&paged_vp, action);
}

static void test_iret_to_user(void)
{
	begin();
	iret_frame(UCODE64, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF | RFLAGS_IOPL, 0x7fff0, UDATA);
	fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY] =
		GUEST_INTR_BLOCKED_BY_NMI | GUEST_INTR_BLOCKED_BY_STI;
	fake.vmcs[VMCS_GUEST_FS_AR] |= FIELD_PREP(AR_DPL, 3);
	iret();
	EXPECT_EQ(TARGET, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF | RFLAGS_IOPL, fake.vmcs[VMCS_GUEST_RFLAGS]);
	EXPECT_EQ(UCODE64, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(UDATA, fake.vmcs[VMCS_GUEST_SS_SELECTOR]);
	EXPECT_EQ(0x7fff0, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(3, vp_cpl(&paged_vp));
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_INTERRUPTIBILITY]);
	EXPECT_TRUE(fake.vmcs[VMCS_GUEST_DS_AR] & AR_UNUSABLE);
	EXPECT_FALSE(fake.vmcs[VMCS_GUEST_FS_AR] & AR_UNUSABLE);
	EXPECT_TRUE((GDT[UCODE64 >> 3] & DESC_A) && (GDT[UDATA >> 3] & DESC_A));
	EXPECT_EQ(VP_WORK_EVENT, paged_vp.work & VP_WORK_EVENT);
}

/* At CPL 3 neither IOPL nor IF change, and a more privileged segment is #GP. */
static void test_iret_from_user(void)
{
	begin();
	fake.vmcs[VMCS_GUEST_SS_AR] |= FIELD_PREP(AR_DPL, 3);
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_IF;
	iret_frame(UCODE64, RFLAGS_IOPL | RFLAGS_CF | RFLAGS_VIP, 0x7fff0, UDATA);
	iret();
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF, fake.vmcs[VMCS_GUEST_RFLAGS]);

	begin();
	fake.vmcs[VMCS_GUEST_SS_AR] |= FIELD_PREP(AR_DPL, 3);
	iret_frame(CODE64, 2, 0x7fff0, UDATA);
	CODE(0x48, 0xcf);
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA + 0x800));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(CODE64, paged_error());
	EXPECT_EQ(PAGE_GVA + 0x800, fake.vmcs[VMCS_GUEST_RSP]);
}

/* A step that IRET ends traps, one that it begins does not yet. */
static void test_iret_single_steps(void)
{
	begin();
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED | RFLAGS_TF;
	iret_frame(CODE64, RFLAGS_FIXED, 0x7fff0, DATA);
	iret();
	EXPECT_EQ(PENDING_DBG_BS, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_EQ(RFLAGS_FIXED, fake.vmcs[VMCS_GUEST_RFLAGS]);

	begin();
	fake.vmcs[VMCS_GUEST_RFLAGS] = RFLAGS_FIXED;
	iret_frame(CODE64, RFLAGS_FIXED | RFLAGS_TF, 0x7fff0, DATA);
	iret();
	EXPECT_EQ(0, fake.vmcs[VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS]);
	EXPECT_EQ(RFLAGS_FIXED | RFLAGS_TF, fake.vmcs[VMCS_GUEST_RFLAGS]);
}

static void expect_iret_fault(u64 cs, u64 ip, u64 ss, int vector, u32 error)
{
	begin();
	iret_frame(cs, 2, 0x7fff0, ss);
	put(0x800, ip);
	CODE(0x48, 0xcf);
	EXPECT_EQ(vector < 0 ? EXIT_NEXT_IRET : EXIT_RESUME, emulate(PAGE_GPA + 0x800));
	EXPECT_EQ(vector, paged_exception());
	if (vector >= 0)
		EXPECT_EQ(error, paged_error());
	EXPECT_EQ(vector < 0 ? ip : PAGED_CODE_GPA + 0x100, fake.vmcs[VMCS_GUEST_RIP]);
}

static void test_iret_checks(void)
{
	expect_iret_fault(CODE64, TARGET, DATA, -1, 0);
	expect_iret_fault(CODE64, TARGET, 0, -1, 0); /* null SS in 64-bit code above CPL 3 */
	expect_iret_fault(UCODE64, TARGET, 3, EXC_GP, 0);
	expect_iret_fault(CODE32, TARGET, 0, EXC_GP, 0);
	expect_iret_fault(0, TARGET, DATA, EXC_GP, 0);
	expect_iret_fault(0xff0, TARGET, DATA, EXC_GP, 0xff0);
	expect_iret_fault(DATA, TARGET, DATA, EXC_GP, DATA);
	expect_iret_fault(CODE64, 1ull << 63, DATA, EXC_GP, 0);
	expect_iret_fault(CODE32, 1ull << 32, DATA, EXC_GP, 0);
	expect_iret_fault(UCODE64, TARGET, DATA, EXC_GP, DATA);
	expect_iret_fault(UCODE64, TARGET, UCODE64, EXC_GP, UCODE64 & ~3u);
}

/* RET n drops its arguments from both stacks. */
static void test_far_return_to_user(void)
{
	begin();
	put(0x800, TARGET);
	put(0x808, UCODE32);
	put(0x818, 0x7fff0);
	put(0x820, UDATA);
	CODE(0x48, 0xca, 0x08, 0x00); /* lretq $8 */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x800));
	EXPECT_EQ(0, paged_vp.insn_len);
	EXPECT_EQ(TARGET, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0x7fff8, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(UCODE32, fake.vmcs[VMCS_GUEST_CS_SELECTOR]);
	EXPECT_EQ(3, vp_cpl(&paged_vp));
}

static void test_gates_and_tasks_are_declined(void)
{
	begin();
	put(0x100, TARGET);
	put(0x108, GATE);
	CODE(0x48, 0xff, 0x2b); /* ljmpq [rbx] */
	EXPECT_EQ(EXIT_UNHANDLED, emul_execute(&paged_vp, PAGE_GPA + 0x100, &mem));
	begin();
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_NT;
	CODE(0x48, 0xcf);
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA + 0x800)); /* IA-32e mode has no tasks */
	EXPECT_EQ(EXC_GP, paged_exception());
}

/* Frame pointers of three levels, then this frame's own. */
static void test_nested_enter(void)
{
	begin();
	paged_vp.regs.rbp = PAGE_GVA + 0x900;
	put(0x8f8, 0x1111);
	put(0x8f0, 0x2222);
	CODE(0xc8, 0x20, 0x00, 0x03); /* enter 0x20, 3 */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x7f8));
	EXPECT_EQ(PAGE_GVA + 0x900, get(0x7f8));
	EXPECT_EQ(0x1111, get(0x7f0));
	EXPECT_EQ(0x2222, get(0x7e8));
	EXPECT_EQ(PAGE_GVA + 0x7f8, get(0x7e0));
	EXPECT_EQ(PAGE_GVA + 0x7f8, paged_vp.regs.rbp);
	EXPECT_EQ(PAGE_GVA + 0x7e0 - 0x20, fake.vmcs[VMCS_GUEST_RSP]);
	CODE(0xc9); /* leave */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x7f8));
	EXPECT_EQ(PAGE_GVA + 0x900, paged_vp.regs.rbp);
	EXPECT_EQ(PAGE_GVA + 0x800, fake.vmcs[VMCS_GUEST_RSP]);
}

static void test_32_bit_code(void)
{
	paged_reset(EMUL_32);
	memset(page, 0, sizeof(page));
	paged_vp.regs.rbx = PAGE_GPA + 0x100;
	fake.vmcs[VMCS_GUEST_RSP] = PAGE_GPA + 0x800;
	put(0x100, TARGET);
	CODE(0xff, 0x13); /* call [ebx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x100));
	EXPECT_EQ(TARGET, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(PAGE_GPA + 0x7fc, fake.vmcs[VMCS_GUEST_RSP]);
	EXPECT_EQ(PAGED_CODE_GPA + 0x102, get(0x7fc));
	fake.vmcs[VMCS_GUEST_CS_LIMIT] = TARGET - 1;
	CODE(0xff, 0x23); /* jmp [ebx] */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA + 0x100));
	EXPECT_EQ(EXC_GP, paged_exception());

	paged_reset(EMUL_16);
	fake.vmcs[VMCS_GUEST_DS_BASE] = PAGE_GPA;
	paged_vp.regs.rbx = 0x100;
	put(0x100, 0x12345678);
	CODE(0xff, 0x2f); /* ljmp [bx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x100));
	EXPECT_EQ(0x5678, fake.vmcs[VMCS_GUEST_RIP]);
	EXPECT_EQ(0x12340, fake.vmcs[VMCS_GUEST_CS_BASE]);
	paged_vp.regs.rbx = 0x102;
	CODE(0x8e, 0x07); /* mov es, [bx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x102));
	EXPECT_EQ(0x12340, fake.vmcs[VMCS_GUEST_ES_BASE]);
}

TEST_MAIN(TEST(test_iret_to_user), TEST(test_iret_from_user), TEST(test_iret_single_steps),
	  TEST(test_iret_checks), TEST(test_far_return_to_user),
	  TEST(test_gates_and_tasks_are_declined), TEST(test_nested_enter), TEST(test_32_bit_code))
