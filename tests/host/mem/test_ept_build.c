/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The partition's map: every page below 4 GiB against the rules written down a second time
 * (identity, rules M1, M1b, M2, I8), the lazy part above, and the APIC page on its travels.
 */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "core/mem/page_alloc.h"
#include "tests/host/mem/ept_machine.h"

enum nature { MEMORY, DEVICE, ONES };

static enum nature nature_of(u64 at)
{
	if (at >= REGION_BASE && at < REGION_BASE + REGION_LEN)
		return ONES;
	if (at >= 0xfee00000 && at < 0xfef00000)
		return ONES;
	if (at >= 0xa0000 && at < 0xc0000)
		return DEVICE;
	if (at < 0x20000000 || (at >= 0xff000000 && at < GIB(4)))
		return MEMORY;
	return DEVICE;
}

static void expect_page(u64 at)
{
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));
	enum nature nature = nature_of(at);

	if (nature == ONES) {
		EXPECT_EQ(p->ones_page.v, leaf.hpa.v);
		EXPECT_EQ(EPT_R, leaf.perms);
		return;
	}
	EXPECT_EQ(at, leaf.hpa.v);
	EXPECT_EQ(nature == MEMORY ? EPT_RWX : EPT_R | EPT_W, leaf.perms);
	EXPECT_EQ(mtrr_type(&paged_vp.mtrr, at, PAGE_SIZE, &(bool){ true }), leaf.type);
}

static void test_build_every_page_below_4g(void)
{
	static const u8 ones[PAGE_SIZE] = { [0 ... PAGE_SIZE - 1] = 0xff };

	build();
	for (u64 at = 0; at < GIB(4); at += PAGE_SIZE)
		expect_page(at);
	EXPECT_MEMEQ(ones, hw_phys_to_virt(p->ones_page), PAGE_SIZE);
	EXPECT_LE(p->ept.pages, 16); /* the budget: large pages wherever they fit */
}

static void test_build_refuses_an_unreserved_region(void)
{
	machine();
	EXPECT_EQ(ERR_INVAL, ept_build_partition(p)); /* no tables yet */
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	p->memory.e[4].type = E820_RAM;
	EXPECT_EQ(ERR_INVAL, ept_build_partition(p));
}

static void test_lazy_map_reaches_every_address(void)
{
	static const u64 bars[] = { GIB(4), GIB(512) - PAGE_SIZE, GIB(600) + 0x1234000,
				    (1ull << 40) - 1 };

	build();
	for (u32 i = 0; i < ARRAY_SIZE(bars); i++) {
		struct ept_leaf leaf;

		EXPECT_EQ(0, ept_walk(&p->ept, gpa(bars[i])).size);
		EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(bars[i])));
		leaf = ept_walk(&p->ept, gpa(bars[i]));
		EXPECT_EQ(bars[i], leaf.hpa.v);
		EXPECT_EQ(EPT_R | EPT_W, leaf.perms);
		EXPECT_EQ(PAGE_SIZE_1G, leaf.size);
		EXPECT_EQ(ERR_BUSY, ept_map_lazy(p, gpa(bars[i])));
	}
	EXPECT_EQ(ERR_BUSY, ept_map_lazy(p, gpa(0x1000)));
	EXPECT_EQ(ERR_RANGE, ept_map_lazy(p, gpa(1ull << 40)));
	EXPECT_EQ(ERR_RANGE, ept_map_lazy(p, gpa(~0ull)));
}

/* Reserved addresses far above the RAM cost nothing until somebody goes there. */
static void test_high_reserved_entries_are_mapped_on_access(void)
{
	u64 high = 0xfd00000000;

	machine();
	p->memory.e[p->memory.count++] =
		(struct e820_entry){ high, (1ull << 40) - high, E820_RESERVED };
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, false, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	EXPECT_EQ(0x100000000, p->ept.top);
	EXPECT_LE(p->ept.pages, 16);
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(high)).size);
	EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(high)));
	EXPECT_EQ(high, ept_walk(&p->ept, gpa(high)).hpa.v);
}

/* Rule M2: types follow the registers, permissions and holes do not change, tables do not pile up.
 */
static void test_retype_follows_the_mtrrs(void)
{
	struct mtrr_state *m = &paged_vp.mtrr;
	u32 pages;

	build();
	pages = p->ept.pages;
	for (u32 i = 0; i < 12; i++) {
		m->base[1] = (test_rng() % 0x20000000 & ~0xfffull) | MT_WC;
		m->mask[1] = (0xffffffffffull & ~(BIT64(12 + test_rng() % 10) - 1)) | BIT64(11);
		m->base[1] &= m->mask[1] | 0xff;
		EXPECT_EQ(ERR_NONE, ept_retype(p, m));
		for (u64 at = 0; at < 0x20400000; at += PAGE_SIZE)
			expect_page(at);
		for (u64 at = 0xfec00000; at < GIB(4); at += PAGE_SIZE)
			expect_page(at);
	}
	m->mask[1] = 0;
	EXPECT_EQ(ERR_NONE, ept_retype(p, m));
	EXPECT_EQ(pages, p->ept.pages); /* merged again */
	ept_flush(p);
	EXPECT_EQ(page_total_count() - page_free_count(), p->ept.pages + 2u);
}

/*
 * Until every CPU has executed INVEPT one may walk through a table that is gone: the page keeps
 * what it maps and nobody gets it.
 */
static void test_tables_outlive_their_last_walk(void)
{
	u64 old[PT_ENTRIES], before;
	const u64 *table;
	u32 used;

	build();
	used = p->ept.pages;
	EXPECT_EQ(ERR_NONE,
		  ept_map(&p->ept, gpa(MIB(64)), hpa(0xfe0000000), PAGE_SIZE, EPT_R, MT_WB));
	EXPECT_EQ(used + 1, p->ept.pages);
	table = p->ept.root; /* PML4, PDPT, PD, PT: entries 0, 0, 32 */
	table = hw_phys_to_virt(hpa(table[0] & EPT_ADDR));
	table = hw_phys_to_virt(hpa(table[0] & EPT_ADDR));
	table = hw_phys_to_virt(hpa(table[32] & EPT_ADDR));
	memcpy(old, table, sizeof(old));
	before = page_free_count();
	EXPECT_EQ(ERR_NONE, ept_map(&p->ept, gpa(MIB(64)), hpa(MIB(64)), MIB(2), EPT_RWX, MT_WB));
	EXPECT_EQ(used, p->ept.pages);
	EXPECT_EQ(before, page_free_count());
	EXPECT_NE(table, page_alloc());
	EXPECT_EQ(0, table[0] & EPT_RWX);
	EXPECT_MEMEQ(old + 1, table + 1, sizeof(old) - sizeof(old[0]));
	ept_flush(p);
	EXPECT_EQ(before, page_free_count()); /* one taken above, one given back */
}

static void test_retype_leaves_overlays_alone(void)
{
	struct ept_leaf leaf;

	build();
	EXPECT_EQ(ERR_NONE,
		  ept_map(&p->ept, gpa(MIB(64)), hpa(0xfe0000000), PAGE_SIZE, EPT_R, MT_WB));
	paged_vp.mtrr.def_type = 0xc04; /* WT */
	EXPECT_EQ(ERR_NONE, ept_retype(p, &paged_vp.mtrr));
	leaf = ept_walk(&p->ept, gpa(MIB(64)));
	EXPECT_EQ(0xfe0000000, leaf.hpa.v);
	EXPECT_EQ(MT_WB, leaf.type);
	EXPECT_EQ(MT_WT, ept_walk(&p->ept, gpa(MIB(64) + PAGE_SIZE)).type);
	EXPECT_EQ(MT_WT, ept_walk(&p->ept, gpa(MIB(66))).type);
}

static void apic_base(u64 val)
{
	paged_vp.apic.base_msr = val;
	apic_page_remap(&paged_vp);
}

static void expect_apic_at(u64 at)
{
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));

	EXPECT_EQ(p->apic_access_page.v, leaf.hpa.v);
	EXPECT_EQ(EPT_R | EPT_W, leaf.perms);
}

/* Wherever the guest puts its APIC, the page is there and nowhere else (rule I8). */
static void test_apic_page_follows_its_base(void)
{
	build();
	apic_base(0xfee00000 | APIC_BASE_EN);
	expect_apic_at(0xfee00000);
	expect_page(0xfee01000);
	apic_base(0x300000 | APIC_BASE_EN); /* over RAM */
	expect_apic_at(0x300000);
	expect_page(0xfee00000);
	apic_base(0 | APIC_BASE_EN); /* address 0 is an address */
	expect_apic_at(0);
	expect_page(0x300000);
	apic_base(0xfee05000 | APIC_BASE_EN);
	expect_apic_at(0xfee05000);
	expect_page(0);
	fake.invepts = 0;
	apic_base(0xfee05000 | APIC_BASE_EN | APIC_BASE_EXTD);
	EXPECT_EQ(1, fake.invepts);
	expect_page(0xfee05000);
	apic_base(0xfee05000);
	EXPECT_EQ(1, fake.invepts); /* nothing changed */
	for (u64 at = 0; at < MIB(4); at += PAGE_SIZE)
		expect_page(at);
}

/* A guest may move its APIC for ever: the tables of one place are given back for the next. */
static void test_apic_page_gives_its_tables_back(void)
{
	u64 pages;

	build();
	pages = p->ept.pages;
	for (u64 at = MIB(1); at < GIB(4); at += MIB(2)) {
		apic_base(at | APIC_BASE_EN);
		expect_apic_at(at);
		EXPECT_LE(p->ept.pages, pages + 2);
	}
	apic_base(0xfee00000 | APIC_BASE_EN);
	EXPECT_EQ(pages, p->ept.pages);
	for (u64 at = 0; at < GIB(4); at += PAGE_SIZE)
		if (at != 0xfee00000)
			expect_page(at);
	for (u64 at = GIB(4); at < BIT64(40); at += GIB(1)) {
		apic_base((at + MIB(3)) | APIC_BASE_EN);
		expect_apic_at(at + MIB(3));
		EXPECT_LE(p->ept.pages, pages + 2 + (at >> 39) + 1);
	}
	apic_base(0xfee00000 | APIC_BASE_EN);
	EXPECT_LE(p->ept.pages, pages + 1); /* the second half of the TiB */
	EXPECT_EQ(PAGE_SIZE_1G, ept_walk(&p->ept, gpa(GIB(700))).size);
}

/* 52 address bits are the APIC's, 48 the EPT's: beyond, the page is nowhere, not at an alias. */
static void test_apic_page_beyond_the_map(void)
{
	build();
	p->machine.phys_bits = 52;
	apic_base((BIT64(48) + 0x300000) | APIC_BASE_EN);
	expect_page(0x300000);
	EXPECT_FALSE(overlay_is_mapped(&paged_vp.apic.overlay));
	apic_base(0x300000 | APIC_BASE_EN);
	expect_apic_at(0x300000);
}

/* The APIC may be set up before the map exists. */
static void test_apic_page_noted_before_the_build(void)
{
	machine();
	p->machine.apic_accesses = true;
	EXPECT_EQ(ERR_NONE, apic_page_init(p));
	apic_base(0xfee00000 | APIC_BASE_EN);
	EXPECT_EQ(0, fake.invepts);
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	expect_apic_at(0xfee00000);
}

static void test_scratch_pages_are_private_and_bounded(void)
{
	hpa_t first, second;
	u64 before;

	build();
	before = page_free_count();
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + 0x234)));
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + PAGE_SIZE)));
	first = ept_walk(&p->ept, gpa(REGION_BASE)).hpa;
	second = ept_walk(&p->ept, gpa(REGION_BASE + PAGE_SIZE)).hpa;
	EXPECT_NE(first.v, second.v);
	EXPECT_NE(p->ones_page.v, first.v);
	EXPECT_EQ(EPT_R | EPT_W, ept_walk(&p->ept, gpa(REGION_BASE)).perms);
	EXPECT_EQ(0xff, *(const u8 *)hw_phys_to_virt(first));
	for (u64 at = 0; at < REGION_LEN; at += PAGE_SIZE)
		EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + at)));
	EXPECT_LE(before - page_free_count(), 20);
}

/* Two VPs write to a page at the same time: the second keeps what the first has stored. */
static void test_scratch_page_stays_when_mapped_again(void)
{
	hpa_t first;
	u64 before;

	build();
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + 0x234)));
	first = ept_walk(&p->ept, gpa(REGION_BASE)).hpa;
	*(u8 *)hw_phys_to_virt(first) = 0x5a;
	before = page_free_count();
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + 0x567)));
	EXPECT_EQ(first.v, ept_walk(&p->ept, gpa(REGION_BASE)).hpa.v);
	EXPECT_EQ(0x5a, *(const u8 *)hw_phys_to_virt(first));
	EXPECT_EQ(before, page_free_count());
	EXPECT_EQ(1, p->scratch_count);
}

/* EFI maps list registers at terabytes; without 1-GiB pages each GiB mapped is a table. */
static void test_registers_far_above_ram_take_no_tables(void)
{
	u32 pages;

	machine();
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, false, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	pages = p->ept.pages;
	machine();
	EXPECT_EQ(ERR_NONE, e820_add(&p->memory, 0xe000000000, 0x1000, E820_EFI_MMIO));
	EXPECT_EQ(ERR_NONE, e820_add(&p->memory, 0xfd00000000, 0x300000000, E820_RESERVED));
	EXPECT_EQ(ERR_NONE, e820_add(&p->memory, 0x10000000000, 0x4000000000, E820_PMEM));
	EXPECT_EQ(ERR_NONE, e820_add(&p->memory, ~0ull << 20, 0x100000, 77));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, false, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	EXPECT_EQ(pages, p->ept.pages);
	EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(0xe000000000)));
	EXPECT_EQ(EPT_R | EPT_W, ept_walk(&p->ept, gpa(0xe000000000)).perms);
}

/*
 * Rule M1b on a UEFI machine: runtime services run as the guest's code, wherever they lie; device
 * memory that firmware lists does not, nor do windows that a BIOS calls reserved.
 */
static void test_natures_of_an_efi_machine(void)
{
	static const struct {
		u64 base, len;
		u32 type;
		bool executable;
	} row[] = {
		{ 0x80000000, 0x100000, E820_EFI_RUNTIME, true },
		{ 0x80100000, 0x1000, E820_EFI_MMIO, false },
		{ 0xb0000000, 0x10000000, E820_RESERVED, false }, /* PCI configuration */
		{ 0x100000000, 0x40000000, E820_RAM, true },
		{ 0x140000000, 0x200000, E820_EFI_RUNTIME, true },
		{ 0x140200000, 0x200000, E820_EFI_MMIO, false },
	};

	machine();
	p->memory.count--; /* the flash at the end: order */
	for (u32 i = 0; i < ARRAY_SIZE(row); i++)
		EXPECT_EQ(ERR_NONE, e820_add(&p->memory, row[i].base, row[i].len, row[i].type));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		u64 at[] = { row[i].base, row[i].base + row[i].len - PAGE_SIZE };

		for (u32 k = 0; k < 2; k++) {
			struct ept_leaf leaf;

			if (at[k] >= p->ept.top) /* above the RAM: with the first access */
				EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(at[k])));
			leaf = ept_walk(&p->ept, gpa(at[k]));
			EXPECT_EQ(at[k], leaf.hpa.v);
			EXPECT_EQ(row[i].executable ? EPT_RWX : EPT_R | EPT_W, leaf.perms);
		}
	}
}

/* Option ROMs keep real-mode code at the end of conventional memory, and take it out of the map. */
static void test_conventional_memory_executes(void)
{
	machine();
	p->memory.e[0].len = 0x9d000;
	memmove(&p->memory.e[1], &p->memory.e[2], 6 * sizeof(p->memory.e[0]));
	p->memory.count--;
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	for (u64 at = 0x9c000; at < 0xa0000; at += PAGE_SIZE)
		EXPECT_EQ(EPT_RWX, ept_walk(&p->ept, gpa(at)).perms);
	EXPECT_EQ(EPT_R | EPT_W, ept_walk(&p->ept, gpa(0xa0000)).perms);
}

TEST_MAIN(TEST(test_build_every_page_below_4g), TEST(test_conventional_memory_executes),
	  TEST(test_build_refuses_an_unreserved_region), TEST(test_lazy_map_reaches_every_address),
	  TEST(test_retype_follows_the_mtrrs), TEST(test_natures_of_an_efi_machine),
	  TEST(test_high_reserved_entries_are_mapped_on_access),
	  TEST(test_registers_far_above_ram_take_no_tables),
	  TEST(test_tables_outlive_their_last_walk), TEST(test_retype_leaves_overlays_alone),
	  TEST(test_apic_page_follows_its_base), TEST(test_apic_page_gives_its_tables_back),
	  TEST(test_apic_page_beyond_the_map), TEST(test_apic_page_noted_before_the_build),
	  TEST(test_scratch_pages_are_private_and_bounded),
	  TEST(test_scratch_page_stays_when_mapped_again))
