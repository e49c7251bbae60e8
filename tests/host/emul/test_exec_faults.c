/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Faults of the executor: the second operand, the fetch, segment limits, and instructions it cannot
 * do. Nothing has happened on the emulated page by then.
 */
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/system.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "tests/host/emul/exec_sim.h"

static void test_exec_second_operand_faults(void)
{
	setup();
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x123456000; /* not mapped */
	CODE(0xa4);                      /* movsb */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_W, paged_error());
	EXPECT_EQ(0x123456000, fake.cr2);
	EXPECT_EQ(0, page_reads); /* no side effect before the fault */
	EXPECT_EQ(PAGE_GVA, paged_vp.regs.rsi);

	setup();
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x800000000000; /* not canonical */
	CODE(0xa4);
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_GP, paged_exception());

	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	fake.vmcs[VMCS_GUEST_RSP] = 0x800000000010;
	CODE(0xff, 0x33); /* push [rbx] */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_SS, paged_exception());
	EXPECT_EQ(0x800000000010, fake.vmcs[VMCS_GUEST_RSP]);
}

static void test_exec_reports_what_it_cannot_do(void)
{
	setup();
	CODE(0xd9, 0x38); /* fnstcw [rax] */
	EXPECT_EQ(EXIT_UNHANDLED, emul_execute(&paged_vp, PAGE_GPA, &mem));
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ(1, paged_vp.counters.c[COUNTER_DECODE_FAILED]);

	setup(); /* the other operand of MOVS is a device */
	paged_map(0x5000000, 0xfd000000, RW);
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = 0x5000000;
	CODE(0xa4);
	EXPECT_EQ(EXIT_UNHANDLED, emul_execute(&paged_vp, PAGE_GPA, &mem));
	EXPECT_EQ(0, page_reads);
}

/* The instruction ends on a page that is gone: the CPU would fault on the fetch. */
static void test_exec_fetch_faults(void)
{
	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	paged_code(0xffe, (const u8[]){ 0x8b, 0x83 }, 2); /* mov eax, [rbx + disp32] */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_PF, paged_exception());
	EXPECT_EQ(PFEC_I, paged_error());
	EXPECT_EQ(PAGED_CODE_GPA + 0x1000, fake.cr2);

	setup(); /* and when it is there, not contiguous, the instruction runs */
	paged_code(0xffe, (const u8[]){ 0x8b, 0x83 }, 2);
	paged_map(PAGED_CODE_GPA + 0x1000, 0x90000, RW);
	memcpy(paged_ram + 0x90000, (const u8[]){ 0x40, 0, 0, 0 }, 4);
	memset(page + 0x40, 0x5a, 4);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x5a5a5a5a, paged_vp.regs.rax);
	EXPECT_EQ(6, paged_vp.insn_len);
}

/* Limits, types and the expand-down rule of the second operand outside 64-bit mode. */
static void test_linear_checks_segments(void)
{
	u64 lin;

	paged_reset(EMUL_32);
	fake.vmcs[VMCS_GUEST_DS_BASE] = 0x1000;
	fake.vmcs[VMCS_GUEST_DS_LIMIT] = 0xfff;
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_DS, 0xffc, 4, true, &lin));
	EXPECT_EQ(0x1ffc, lin);
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xffd, 4, true, &lin));
	EXPECT_EQ(EXC_GP, paged_exception());

	fake.vmcs[VMCS_GUEST_DS_AR] |= AR_TYPE_EXPAND_DOWN;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xfff, 1, false, &lin));
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_DS, 0x1000, 4, false, &lin));
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_DS, 0xfffffffe, 4, false, &lin));

	fake.vmcs[VMCS_GUEST_ES_AR] &= ~(u64)AR_TYPE_WRITABLE;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_NONE, emul_linear(&paged_vp, SEG_ES, 0, 4, false, &lin));
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_ES, 0, 4, true, &lin));
	fake.vmcs[VMCS_GUEST_SS_AR] |= AR_UNUSABLE;
	paged_vp.event.info = 0;
	EXPECT_EQ(ERR_FAULT, emul_linear(&paged_vp, SEG_SS, 0, 4, false, &lin));
	EXPECT_EQ(EXC_SS, paged_exception());
}

static void cover_next(struct overlay *o, u64 perms)
{
	setup();
	*o = (struct overlay){ .page = hw_virt_to_phys(page_alloc()),
			       .perms = perms,
			       .kind = PAGE_OVERLAY };
	EXPECT_EQ(ERR_NONE, overlay_map(&the_partition, o, NEXT_GPA));
}

/* Like the CPU's own write: #GP(0), and nothing has happened; whoever writes in its place. */
static void test_exec_into_a_read_only_overlay(void)
{
	struct overlay o;

	cover_next(&o, EPT_R);
	paged_vp.regs.rsi = PAGE_GVA;
	paged_vp.regs.rdi = NEXT_GVA + 8;
	CODE(0xa5); /* movsd */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(0, page_reads);
	EXPECT_EQ(PAGE_GVA, paged_vp.regs.rsi);

	cover_next(&o, EPT_R | EPT_X);
	paged_vp.regs.rdi = NEXT_GVA - 4;
	CODE(0x48, 0xab); /* stosq, across the page's end */
	EXPECT_EQ(EXIT_RESUME, emulate(PAGE_GPA + 0xffc));
	EXPECT_EQ(EXC_GP, paged_exception());
	EXPECT_EQ(0, page_writes);

	cover_next(&o, EPT_R);
	EXPECT_EQ(ERR_FAULT, system_write(&paged_vp, NEXT_GVA - 1, "xy", 2));
	EXPECT_EQ(EXC_GP, paged_exception());

	cover_next(&o, EPT_R | EPT_W);
	EXPECT_EQ(ERR_NONE, system_write(&paged_vp, NEXT_GVA, "x", 1));
	EXPECT_EQ(-1, paged_exception());
	EXPECT_EQ('x', *(char *)hw_phys_to_virt(o.page));
}

TEST_MAIN(TEST(test_exec_into_a_read_only_overlay), TEST(test_exec_second_operand_faults),
	  TEST(test_exec_reports_what_it_cannot_do), TEST(test_exec_fetch_faults),
	  TEST(test_linear_checks_segments))
