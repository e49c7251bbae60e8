/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The executor's cache of decoded instructions: it is used only while bytes, translation and the
 * map are what they were.
 */
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "tests/host/emul/exec_sim.h"

/* A cached instruction is used only while its bytes and its translation are what they were. */
static void test_exec_cache_sees_changes(void)
{
	setup();
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	for (u32 i = 0; i < 3; i++) {
		u64 before = fake.vmreads;

		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
		EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);
		if (i != 0)
			EXPECT_LE(fake.vmreads - before, 5); /* hits */
	}
	paged_ram[PAGED_CODE_GPA + 0x100] = 0x8a; /* now mov al, [rbx] */
	paged_vp.regs.rax = 0;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3, paged_vp.regs.rax);

	/* The page table moves the code page elsewhere: mov [rbx], eax is there. */
	memcpy(paged_ram + 0x90100, (const u8[]){ 0x89, 0x03 }, 2);
	*paged_entry(PAGED_CODE_GPA, 1) = 0x90000 | RW;
	paged_vp.regs.rax = 0x12345678;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x78, page[0x40]);

	/* Bytes behind the instruction do not matter. */
	paged_ram[0x90102] ^= 0xff;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
}

/* An instruction of 11 bytes whose last one changes. */
static void test_exec_cache_compares_long_instructions(void)
{
	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	CODE(0x48, 0xc7, 0x83, 0x40, 0, 0, 0, 0x11, 0x22, 0x33, 0x44); /* mov [rbx+40h], imm32 */
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
		EXPECT_EQ(0x44, page[0x43]);
	}
	paged_ram[PAGED_CODE_GPA + 0x100 + 10] = 0x55;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x55, page[0x43]);
}

/* Its pointers end with the VP's share of a flush: what is there now is an overlay. */
static void test_exec_cache_ends_with_the_map(void)
{
	struct overlay o = { .perms = EPT_RWX, .kind = PAGE_OVERLAY };
	u8 *over;

	setup();
	over = page_alloc();
	o.page = hw_virt_to_phys(over);
	memset(page, 0xc3, sizeof(page));
	paged_vp.regs.rbx = PAGE_GVA + 0x40;
	CODE(0x8b, 0x03); /* mov eax, [rbx] */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0xc3c3c3c3, paged_vp.regs.rax);

	memcpy(over + 0x100, (const u8[]){ 0x89, 0x03 }, 2); /* mov [rbx], eax */
	EXPECT_EQ(ERR_NONE, overlay_map(&the_partition, &o, PAGED_CODE_GPA));
	paged_vp.flush_done++;
	paged_vp.regs.rax = 0x12345678;
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x78, page[0x40]);

	/* Gone again, and nothing of the overlay stays in the cache. */
	overlay_unmap(&the_partition, &o);
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA + 0x40));
	EXPECT_EQ(0x12345678, paged_vp.regs.rax);
	EXPECT_EQ(0x78, page[0x40]);
}

TEST_MAIN(TEST(test_exec_cache_compares_long_instructions), TEST(test_exec_cache_sees_changes),
	  TEST(test_exec_cache_ends_with_the_map))
