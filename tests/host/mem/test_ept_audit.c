/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/ept_audit.c: a good map passes, and each rule is broken once. */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/paging.h"
#include "core/lib/bits.h"
#include "core/mem/ept_audit.h"
#include "core/mem/mtrr.h"
#include "core/mem/page_alloc.h"
#include "tests/host/mem/ept_machine.h"

/* build(), and what the EPT's types follow and how far addresses go. */
static void build_audited(void)
{
	build();
	p->machine.phys_bits = 40;
	mtrr_cache_enabled(&paged_vp);
}

/* The entry of @at at @level, by hand. */
static u64 *slot(u64 at, u32 level)
{
	u64 *table = p->ept.root;

	for (u32 l = 4; l > level; l--)
		table = hw_phys_to_virt(hpa(table[pt_index(at, l)] & EPT_ADDR));
	return &table[pt_index(at, level)];
}

static void expect_rule(const char *part, u64 at)
{
	struct ept_audit a = ept_audit(p);

	if (part == NULL) {
		if (a.wrong != NULL)
			print_error("%s at %llx, entry %llx\n", a.wrong, a.gpa, a.entry);
		EXPECT_TRUE(a.wrong == NULL);
		return;
	}
	EXPECT_TRUE(a.wrong != NULL);
	if (a.wrong == NULL)
		return;
	if (strstr(a.wrong, part) == NULL)
		print_error("got: %s\n", a.wrong);
	EXPECT_TRUE(strstr(a.wrong, part) != NULL);
	EXPECT_EQ(at, a.gpa);
}

static void test_good_maps_pass(void)
{
	struct ept_audit a;

	build_audited();
	expect_rule(NULL, 0);
	a = ept_audit(p);
	EXPECT_EQ(p->ept.pages, a.tables);
	EXPECT_GE(a.leaves[0], 512);
	EXPECT_GE(a.leaves[1], 100);
	EXPECT_GE(a.leaves[2], 1);
	EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(GIB(16))));
	expect_rule(NULL, 0);
	for (u64 i = 0; i < 20; i++)
		EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(REGION_BASE + i * PAGE_SIZE)));
	EXPECT_EQ(ERR_NONE, ept_map_scratch(p, gpa(0xfee01000)));
	expect_rule(NULL, 0);
	/* Without large pages, too. */
	machine();
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, false, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	expect_rule(NULL, 0);
}

static void map(u64 at, u64 to, u64 len, u64 perms, u8 type)
{
	build_audited();
	EXPECT_EQ(ERR_NONE, ept_map(&p->ept, gpa(at), hpa(to), len, perms, type));
}

static void test_each_rule(void)
{
	map(REGION_BASE + 0x3000, REGION_BASE + 0x3000, 0x1000, EPT_R, MT_WB);
	expect_rule("rule M1", REGION_BASE + 0x3000);
	map(REGION_BASE + 0x3000, 0x300000, 0x1000, EPT_R, MT_WB);
	expect_rule("neither all-ones nor scratch", REGION_BASE + 0x3000);
	map(0xfee01000, 0x300000, 0x1000, EPT_R | EPT_W, MT_WB);
	expect_rule("neither all-ones nor scratch", 0xfee01000);
	map(0xfee00000, 0xfee00000, 0x1000, EPT_R | EPT_W, MT_UC);
	expect_rule("rule I8", 0xfee00000);
	map(0xd0000000, 0xd0000000, 0x1000, EPT_RWX, MT_UC);
	expect_rule("rule M1b", 0xd0000000);
	map(0xb8000, 0xb8000, 0x1000, EPT_RWX, MT_UC);
	expect_rule("rule M1b", 0xb8000);
	map(0x200000, 0x200000, 0x1000, EPT_RWX, MT_UC);
	expect_rule("memory type of the MTRRs", 0x200000);
	map(0, 0, 0x200000, EPT_R | EPT_W, MT_WB);
	expect_rule("several memory types", 0);
	map(0x300000, 0x400000, 0x1000, EPT_R | EPT_W, MT_WB);
	expect_rule("another page", 0x300000);
	map(0x300000, 0x400000, 0x1000, EPT_RWX, MT_WB);
	expect_rule("may execute", 0x300000);
	map(0x400000, 0x600000, 0x200000, EPT_R | EPT_W, MT_WB);
	expect_rule("large page", 0x400000);
	build_audited();
	EXPECT_EQ(ERR_NONE, ept_map(&p->ept, gpa(0x300000), p->ones_page, 0x1000, EPT_R, MT_WB));
	expect_rule("outside the region", 0x300000);
	build_audited();
	*slot(REGION_BASE, 1) |= EPT_W;
	expect_rule("writable", REGION_BASE);
}

static void test_misconfigurations(void)
{
	static const struct {
		u64 clear, set;
		const char *rule;
	} bad[] = {
		{ EPT_R, 0, "not readable" },
		{ EPT_MT, FIELD_PREP(EPT_MT, 2), "reserved memory type" },
		{ EPT_MT, FIELD_PREP(EPT_MT, 7), "reserved memory type" },
		{ 0, BIT64(12), "reserved address bits" },
		{ 0, EPT_IPAT, "PAT" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		u64 *entry;

		build_audited();
		entry = slot(0x400000, 2);
		EXPECT_NE(0, *entry & EPT_PS);
		*entry = (*entry & ~bad[i].clear) | bad[i].set;
		expect_rule(bad[i].rule, 0x400000);
	}
	build_audited();
	*slot(0, 3) |= EPT_IPAT; /* names a table */
	expect_rule("names a table", 0);
	build_audited();
	*slot(0, 4) &= ~EPT_W;
	expect_rule("names a table", 0);
	build_audited();
	p->ept.pages++;
	expect_rule("lost or counted twice", 0);
}

static void test_apic_page(void)
{
	struct overlay o = { .place = 0xfee00000 | 1, .perms = EPT_R | EPT_W, .kind = PAGE_APIC };

	build_audited();
	o.page = p->apic_access_page;
	overlay_index_add(&p->overlays, 0xfee00000, &o); /* noted, and nothing mapped */
	expect_rule("not the page of the overlay", 0xfee00000);
	EXPECT_EQ(ERR_NONE, ept_map(&p->ept, gpa(0xfee00000), p->apic_access_page, PAGE_SIZE,
				    EPT_R | EPT_W, MT_WB));
	expect_rule(NULL, 0);
	o.perms = EPT_R;
	expect_rule("permissions of the overlay", 0xfee00000);
	o.perms = 0; /* emulated: a hole */
	expect_rule("permissions of the overlay", 0xfee00000);
	EXPECT_EQ(ERR_NONE,
		  ept_map(&p->ept, gpa(0xfee00000), p->ones_page, PAGE_SIZE, EPT_R, MT_WB));
	expect_rule("not the page of the overlay", 0xfee00000);
	EXPECT_EQ(ERR_NONE, ept_unmap(&p->ept, gpa(0xfee00000), PAGE_SIZE));
	expect_rule(NULL, 0);
	EXPECT_EQ(ERR_NONE, ept_map(&p->ept, gpa(0xfee00000), p->apic_access_page, PAGE_SIZE,
				    EPT_R | EPT_W, MT_WB));
	o.perms = EPT_R;
	overlay_index_remove(&p->overlays, 0xfee00000, &o);
	expect_rule("neither all-ones nor scratch", 0xfee00000);
}

TEST_MAIN(TEST(test_good_maps_pass), TEST(test_each_rule), TEST(test_misconfigurations),
	  TEST(test_apic_page))
