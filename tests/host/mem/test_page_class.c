/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/page_class.c: what is where on a PC, byte by byte and page by page. */
#include "tests/host/harness.h"

#include "arch/x86/defs/paging.h"
#include "core/mem/page_class.h"
#include "core/mem/ranges.h"
#include "tests/host/mem/ept_machine.h"

static void expect_kind(enum page_kind want, u64 at, u64 want_end)
{
	u64 end = 0;
	enum page_kind kind = page_kind_at(p, at, &end);

	if (kind != want || end != want_end)
		print_error("%llx: %s up to %llx\n", at, page_class[kind].name, end);
	EXPECT_EQ(want, kind);
	EXPECT_EQ(want_end, end);
}

static void test_every_place_of_a_pc(void)
{
	machine();
	expect_kind(PAGE_RAM, 0, 0x9fc00);
	expect_kind(PAGE_RAM, 0x9fbff, 0x9fc00);
	expect_kind(PAGE_FIRMWARE, 0x9fc00, 0xa0000);
	expect_kind(PAGE_DEVICE, 0xa0000, 0xc0000);
	expect_kind(PAGE_ROM, 0xc0000, 0xe8000);
	expect_kind(PAGE_FIRMWARE, 0xe8000, 0x100000);
	expect_kind(PAGE_RAM, 0x100000, REGION_BASE);
	expect_kind(PAGE_REGION, REGION_BASE, REGION_BASE + PAGE_SIZE);
	expect_kind(PAGE_RAM, REGION_BASE + REGION_LEN, RAM_TOP);
	expect_kind(PAGE_FIRMWARE, RAM_TOP, RAM_TOP + 0x20000);
	expect_kind(PAGE_DEVICE, RAM_TOP + 0x20000, 0xfec00000);
	expect_kind(PAGE_DEVICE, 0xfec00000, 0xfee00000);
	expect_kind(PAGE_WINDOW, 0xfeefffff, 0xfef00000);
	expect_kind(PAGE_DEVICE, 0xfef00000, 0xff000000);
	expect_kind(PAGE_ROM, 0xff000000, GIB(4));
	expect_kind(PAGE_DEVICE, GIB(4), BIT64(40));
	expect_kind(PAGE_ABSENT, BIT64(40), ~0ull);
	expect_kind(PAGE_ABSENT, ~0ull, ~0ull);
}

/* EPT cannot tell the two halves of the page at 9f000 apart; the first one decides. */
static void test_ground_is_whole_pages(void)
{
	u64 end;

	machine();
	EXPECT_EQ(PAGE_RAM, page_ground_at(p, 0x9f000, &end));
	EXPECT_EQ(0xa0000, end);
	p->memory.e[3].base += 0x800; /* begins inside a page: the page is RAM */
	EXPECT_EQ(PAGE_RAM, page_ground_at(p, 0x100000, &end));
	expect_kind(PAGE_DEVICE, 0x100000, 0x100800);
}

/* Whatever the map claims: RAM under a register is none. */
static void test_fixed_places_win(void)
{
	machine();
	p->memory.e[7] = (struct e820_entry){ 0xfe000000, 0x2000000, E820_RAM };
	expect_kind(PAGE_RAM, 0xfe000000, 0xfec00000);
	expect_kind(PAGE_WINDOW, 0xfee00000, 0xfee01000);
	p->region_base = hpa(0xfee00000);
	expect_kind(PAGE_REGION, 0xfee00000, 0xfee01000);
}

static void test_what_is_added_later(void)
{
	static const struct emul_mem mem;
	const struct page_range range = { 0xd0000000, 0xd0002000, PAGE_EMULATED, .mem = &mem };

	machine();
	EXPECT_EQ(ERR_NONE, range_add(p, &range));
	expect_kind(PAGE_DEVICE, RAM_TOP + 0x20000, 0xd0000000);
	expect_kind(PAGE_EMULATED, 0xd0000010, 0xd0002000);
	build();
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + 0x1008)));
	expect_kind(PAGE_REGION, REGION_BASE, REGION_BASE + 0x1000);
	expect_kind(PAGE_SCRATCH, REGION_BASE + 0x1000, REGION_BASE + 0x2000);
	expect_kind(PAGE_REGION, REGION_BASE + 0x2000, REGION_BASE + 0x3000);
}

/* Every class of the builder's map against the row that it was built from. */
static void test_rows_agree_with_the_ept(void)
{
	u64 end;

	build();
	for (u64 at = 0; at < GIB(4); at += PAGE_SIZE) {
		const struct page_class *c = &page_class[page_ground_at(p, at, &end)];
		struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));

		EXPECT_EQ(c->perms, leaf.perms);
		EXPECT_EQ(c->backing == BACKING_SAME ? at : p->ones_page.v, leaf.hpa.v);
	}
}

TEST_MAIN(TEST(test_every_place_of_a_pc), TEST(test_ground_is_whole_pages),
	  TEST(test_fixed_places_win), TEST(test_what_is_added_later),
	  TEST(test_rows_agree_with_the_ept))
