/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executor on guest memory that is not there yet: it asks to be tried again and has done
 * nothing, for the page of the code, of the other operand, and of a paging structure.
 */
#include "tests/host/emul/exec_sim.h"
#include "tests/host/fakes/far.h"

static void expect_retries(u64 at)
{
	struct gpr_regs before = paged_vp.regs;
	u32 reads = page_reads, writes = page_writes;

	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(EXIT_RETRY, emulate(at));
		EXPECT_MEMEQ(&before, &paged_vp.regs, sizeof(before));
		EXPECT_EQ(reads, page_reads);
		EXPECT_EQ(writes, page_writes);
		EXPECT_EQ(-1, paged_exception());
	}
}

/* The page that RIP is in, and the next one when the instruction reaches into it. */
static void test_exec_waits_for_code(void)
{
	setup();
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	fake_far_add(&the_partition, PAGED_CODE_GPA, PAGED_CODE_GPA + PAGE_SIZE);
	expect_retries(PAGE_GPA + 0x40);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);
	fake_far_again(); /* not from the cache */
	expect_retries(PAGE_GPA + 0x40);

	setup();
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	paged_map(PAGED_CODE_GPA + PAGE_SIZE, PAGED_CODE_GPA + PAGE_SIZE, RW);
	paged_code(PAGE_SIZE - 1, (const u8[]){ 0x8b, 0x03 }, 2);
	fake_far_add(&the_partition, PAGED_CODE_GPA + PAGE_SIZE, PAGED_CODE_GPA + 2 * PAGE_SIZE);
	expect_retries(PAGE_GPA + 0x40);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));

	paged_code(PAGE_SIZE - 2, (const u8[]){ 0x8b, 0x03 }, 2); /* ends with its page */
	fake_far_again();
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0, fake_far.pinned);
}

/* The other operand of MOVS: its page, or a paging structure on the way to it. */
static void test_exec_waits_for_operands(void)
{
	u64 far[2];

	for (u32 i = 0; i < ARRAY_SIZE(far); i++) {
		setup();
		page[0] = 0x5a;
		far[0] = NEXT_GPA;
		far[1] = ALIGN_DOWN((u64)((u8 *)paged_entry(NEXT_GVA, 1) - paged_ram), PAGE_SIZE);
		fake_far_add(&the_partition, far[i], far[i] + PAGE_SIZE);
		paged_vp.regs.rsi = PAGE_GVA;
		paged_vp.regs.rdi = NEXT_GVA;
		CODE(0xa4); /* movsb */
		expect_retries(PAGE_GPA);
		EXPECT_EQ(0, paged_ram[NEXT_GPA]);
		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA));
		EXPECT_EQ(0x5a, paged_ram[NEXT_GPA]);
		EXPECT_EQ(1, page_reads);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

TEST_MAIN(TEST(test_exec_waits_for_code), TEST(test_exec_waits_for_operands))
