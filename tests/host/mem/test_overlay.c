/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/overlay.c: where an overlay may be, and that nothing of one stays behind. */
#include "tests/host/harness.h"

#include "arch/x86/defs/paging.h"
#include "core/mem/ept_audit.h"
#include "core/mem/gpa.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "core/mem/shared_area.h"
#include "tests/host/fakes/far.h"
#include "tests/host/mem/ept_machine.h"

#define AT 0x300000ull

static struct overlay o, other;
static struct shared_area area;
static u32 map_changes;

static void map_changed(struct partition *part)
{
	map_changes++;
}

static struct overlay overlay(u64 perms)
{
	return (struct overlay){ .page = hw_virt_to_phys(page_alloc()),
				 .perms = perms,
				 .kind = PAGE_OVERLAY };
}

static void setup(void)
{
	static const struct partition_hooks hooks = { .map_changed = map_changed };

	build();
	p->hooks = &hooks;
	mtrr_cache_enabled(&paged_vp);
	area = (struct shared_area){ 0 };
	o = overlay(EPT_R | EPT_W);
	other = overlay(EPT_R | EPT_W);
	map_changes = 0;
}

static void expect_at(const struct overlay *want, u64 at)
{
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));

	EXPECT_EQ(want->page.v, leaf.hpa.v);
	EXPECT_EQ(want->perms, leaf.perms);
	EXPECT_EQ(MT_WB, leaf.type);
	EXPECT_EQ(at, overlay_gpa(want));
	EXPECT_TRUE(page_is(p, at + 0xfff, want->kind));
	EXPECT_NULL(ept_audit(p).wrong);
}

static void expect_nothing_at(u64 at)
{
	EXPECT_EQ(at, ept_walk(&p->ept, gpa(at)).hpa.v);
	EXPECT_FALSE(page_is(p, at, PAGE_OVERLAY));
	EXPECT_NULL(ept_audit(p).wrong);
}

static void test_map_move_unmap(void)
{
	u32 pages;

	setup();
	pages = p->ept.pages;
	fake.invepts = 0;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	expect_at(&o, AT);
	expect_nothing_at(AT + PAGE_SIZE);
	EXPECT_EQ(1, fake.invepts);
	/* It is there, perhaps just now by another VP: nobody may use what was before. */
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	EXPECT_EQ(2, map_changes);
	EXPECT_EQ(2, fake.invepts);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0)); /* 0 is an address */
	expect_at(&o, 0);
	expect_nothing_at(AT);
	overlay_unmap(p, &o);
	EXPECT_FALSE(overlay_is_mapped(&o));
	expect_nothing_at(0);
	EXPECT_EQ(4, map_changes);
	overlay_unmap(p, &o);
	EXPECT_EQ(4, map_changes);
	EXPECT_EQ(pages, p->ept.pages);
}

static void test_permissions(void)
{
	static const u64 good[] = { EPT_R, EPT_R | EPT_W, EPT_R | EPT_X, EPT_RWX };

	for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
		setup();
		o.perms = good[i];
		EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
		EXPECT_EQ(good[i], ept_walk(&p->ept, gpa(AT)).perms);
	}
}

static void expect_refused(err_t err, struct overlay *v, u64 at)
{
	struct overlay old = *v;
	struct ept_leaf leaf = ept_walk(&p->ept, gpa(at));

	map_changes = 0;
	EXPECT_EQ(err, overlay_map(p, v, at));
	EXPECT_MEMEQ(&old, v, sizeof(old));
	EXPECT_EQ(leaf.hpa.v, ept_walk(&p->ept, gpa(at)).hpa.v);
	EXPECT_EQ(0, map_changes);
	EXPECT_EQ(overlay_is_mapped(v),
		  overlay_index_other(&p->overlays, overlay_gpa(v), NULL) == v);
	if (overlay_is_mapped(v))
		expect_at(v, overlay_gpa(v));
}

static void test_refusals_change_nothing(void)
{
	struct overlay bad;

	for (u32 mapped = 0; mapped < 2; mapped++) {
		setup();
		if (mapped != 0)
			EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
		other.kind = PAGE_APIC;
		EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT + PAGE_SIZE));
		expect_refused(ERR_BUSY, &o, AT + PAGE_SIZE);
		expect_refused(ERR_BUSY, &o, REGION_BASE);
		expect_refused(ERR_BUSY, &o, REGION_BASE + REGION_LEN - PAGE_SIZE);
		expect_refused(ERR_BUSY, &o, 0xfee00000);
		expect_refused(ERR_BUSY, &o, 0xfeeff000);
		expect_refused(ERR_RANGE, &o, BIT64(40));
		expect_refused(ERR_INVAL, &o, AT + 0x10);
	}
	bad = overlay(EPT_W);
	expect_refused(ERR_INVAL, &bad, 0x400000);
	bad = overlay(EPT_RWX);
	bad.kind = PAGE_APIC;
	expect_refused(ERR_INVAL, &bad, 0x400000);
	bad = overlay(EPT_R);
	bad.page = hpa(0);
	expect_refused(ERR_INVAL, &bad, 0x400000);
}

static void test_the_apic_page_may_be_anywhere(void)
{
	setup();
	o.kind = PAGE_APIC;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0xfee00000));
	expect_at(&o, 0xfee00000);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, REGION_BASE));
	expect_at(&o, REGION_BASE);
	overlay_unmap(p, &o);
	EXPECT_EQ(p->ones_page.v, ept_walk(&p->ept, gpa(REGION_BASE)).hpa.v);
}

static void test_one_page_may_be_mapped_by_many(void)
{
	setup();
	other.page = o.page;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT));
	overlay_unmap(p, &o);
	expect_at(&other, AT);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x500000));
	expect_at(&other, AT);
	expect_at(&o, 0x500000);
	overlay_unmap(p, &other);
	expect_nothing_at(AT);
}

/* Of overlays at one address the last is seen, by the CPU and by us; when it goes, the one before
 * it, and at the end the memory. */
static void test_the_last_one_is_seen(void)
{
	struct overlay third;
	u32 pages;

	setup();
	other.perms = EPT_R;
	third = overlay(EPT_R | EPT_X);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	pages = p->ept.pages;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT));
	expect_at(&other, AT);
	EXPECT_TRUE(overlay_next(p, AT).overlay == &other);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &third, AT));
	expect_at(&third, AT);
	overlay_unmap(p, &other); /* it was hidden */
	expect_at(&third, AT);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT));
	expect_at(&other, AT);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, 0x500000));
	expect_at(&third, AT);
	overlay_unmap(p, &other);
	while (page_alloc() != NULL)
		;
	overlay_unmap(p, &third); /* takes no memory */
	expect_at(&o, AT);
	EXPECT_TRUE(overlay_next(p, AT).overlay == &o);
	EXPECT_EQ(pages, p->ept.pages);
	overlay_unmap(p, &o);
	expect_nothing_at(AT);
}

/* An APIC page and another one: neither on the other. */
static void test_never_on_an_apic_page(void)
{
	setup();
	other.kind = PAGE_APIC;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT));
	expect_refused(ERR_BUSY, &o, AT);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x500000));
	expect_refused(ERR_BUSY, &other, 0x500000);
}

/* All CPUs in xAPIC mode, each with its APIC where the reset puts it, and three pages of an ABI. */
static void test_every_vp_has_room_for_its_pages(void)
{
	static struct overlay apic[VP_MAX], abi[3 * VP_MAX];

	setup();
	for (u32 i = 0; i < VP_MAX; i++) {
		apic[i] = (struct overlay){ .page = p->apic_access_page,
					    .perms = EPT_R | EPT_W,
					    .kind = PAGE_APIC };
		EXPECT_EQ(ERR_NONE, overlay_map(p, &apic[i], 0xfee00000));
	}
	for (u32 i = 0; i < ARRAY_SIZE(abi); i++) {
		abi[i] = (struct overlay){ .page = o.page, .perms = EPT_R, .kind = PAGE_OVERLAY };
		EXPECT_EQ(ERR_NONE, overlay_map(p, &abi[i], MIB(8) + i * PAGE_SIZE));
	}
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	expect_at(&apic[VP_MAX - 1], 0xfee00000);
	expect_at(&abi[ARRAY_SIZE(abi) - 1], MIB(8) + (ARRAY_SIZE(abi) - 1) * PAGE_SIZE);
	expect_at(&o, AT);
}

static void test_reset_takes_what_is_the_owner_s(void)
{
	setup();
	o.vp = &paged_vp;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, AT + PAGE_SIZE));
	overlay_reset(p, &paged_vp);
	expect_nothing_at(AT);
	expect_at(&other, AT + PAGE_SIZE);
	overlay_reset(p, NULL);
	expect_nothing_at(AT + PAGE_SIZE);
}

/* Invariant 6: the memory beneath is not written, and nobody registers it meanwhile. */
static void test_memory_beneath_keeps_its_contents(void)
{
	setup();
	paged_ram[0x3010] = 0x5a;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x3000));
	EXPECT_EQ(ERR_FAULT, shared_area_set(p, &area, 0x3000, 64));
	shared_write32(&area, 0x10, 0);
	overlay_unmap(p, &o);
	EXPECT_TRUE(shared_area_is_live(&area));
	EXPECT_EQ(0x5a, paged_ram[0x3010]);
}

/* Not even on the page's last bytes. An APIC page goes where the guest says: the area is not live
 * meanwhile. */
static void test_never_on_a_registered_page(void)
{
	setup();
	EXPECT_EQ(ERR_NONE, shared_area_set(p, &area, 0x3ffc, 4));
	expect_refused(ERR_BUSY, &o, 0x3000);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x2000));
	expect_refused(ERR_BUSY, &o, 0x3000);
	EXPECT_TRUE(shared_area_is_live(&area));
	other.kind = PAGE_APIC;
	EXPECT_EQ(ERR_NONE, overlay_map(p, &other, 0x3000));
	EXPECT_FALSE(shared_area_is_live(&area));
	overlay_unmap(p, &other);
	EXPECT_TRUE(shared_area_is_live(&area));
	shared_area_clear(p, &area);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x3000));
	EXPECT_EQ(ERR_FAULT, shared_area_set(p, &area, 0x3ffc, 4)); /* waits, in nobody's way */
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, 0x2000));
	EXPECT_TRUE(shared_area_is_live(&area));
}

/* What gives way when the tables are used up, and when the list is full. */
static void test_no_memory_is_a_refusal(void)
{
	static struct overlay many[OVERLAYS_MAX];

	setup();
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT));
	while (page_alloc() != NULL)
		;
	expect_refused(ERR_NOMEM, &o, MIB(64));
	expect_refused(ERR_NOMEM, &o, GIB(600));
	setup();
	for (u32 i = 0; i < OVERLAYS_MAX; i++) {
		many[i] = (struct overlay){ .page = o.page, .perms = EPT_R, .kind = PAGE_OVERLAY };
		EXPECT_EQ(ERR_NONE, overlay_map(p, &many[i], AT + i * PAGE_SIZE));
	}
	expect_refused(ERR_NOMEM, &o, MIB(64));
	expect_at(&many[0], AT);
	overlay_reset(p, NULL);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, MIB(64)));
}

/* Two thousand moves over all of the map: no page of the heap is gone. */
static void test_moves_give_everything_back(void)
{
	u64 before;

	setup();
	before = page_free_count();
	for (u32 i = 0; i < 2000; i++) {
		u64 at = test_rng() % GIB(4) & PAGE_MASK;

		(void)!overlay_map(p, &o, at);
	}
	overlay_unmap(p, &o);
	EXPECT_EQ(before, page_free_count());
	EXPECT_NULL(ept_audit(p).wrong);
}

/* EPT's mapping keeps a page of far memory; an overlay would lose it. */
static void test_never_on_far_memory(void)
{
	setup();
	fake_far_add(p, AT, AT + 2 * PAGE_SIZE);
	expect_refused(ERR_BUSY, &o, AT + PAGE_SIZE);
	EXPECT_EQ(ERR_NONE, overlay_map(p, &o, AT + 2 * PAGE_SIZE));
}

TEST_MAIN(TEST(test_map_move_unmap), TEST(test_permissions), TEST(test_refusals_change_nothing),
	  TEST(test_the_apic_page_may_be_anywhere), TEST(test_one_page_may_be_mapped_by_many),
	  TEST(test_the_last_one_is_seen), TEST(test_never_on_an_apic_page),
	  TEST(test_every_vp_has_room_for_its_pages), TEST(test_reset_takes_what_is_the_owner_s),
	  TEST(test_memory_beneath_keeps_its_contents), TEST(test_never_on_a_registered_page),
	  TEST(test_no_memory_is_a_refusal), TEST(test_moves_give_everything_back),
	  TEST(test_never_on_far_memory))
