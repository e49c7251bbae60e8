/* SPDX-License-Identifier: BSD-2-Clause */
/* A heap of EPT tables that a guest tries to use up: far GiBs are recycled, and what nothing can be
 * recycled for stops the guest with a report. */
#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/exit/exit.h"
#include "core/mem/ept_audit.h"
#include "core/mem/page_alloc.h"
#include "tests/host/fakes/far.h"
#include "tests/host/mem/ept_machine.h"

#define PHYS_BITS 46u
#define ROOM      100u /* pages that the boot has left */

static void leave(u64 pages)
{
	while (page_free_count() > pages)
		EXPECT_TRUE(page_alloc() != NULL);
}

static void small_machine(bool has_1g)
{
	machine();
	p->machine.phys_bits = PHYS_BITS;
	p->machine.apic_accesses = true;
	p->config.on_crash = ON_CRASH_HALT;
	paged_vp.mtrr.phys_bits = PHYS_BITS;
	paged_vp.mtrr.mask[0] = (BIT64(PHYS_BITS) - 1) & ~0x3fffffffull;
	paged_vp.mtrr.mask[0] |= BIT64(11);
	EXPECT_EQ(ERR_NONE, apic_page_init(p));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, has_1g, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
	mtrr_cache_enabled(&paged_vp);
	leave(ROOM);
}

static void touch(u64 at)
{
	struct ept_leaf leaf;

	EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(at)));
	leaf = ept_walk(&p->ept, gpa(at));
	EXPECT_EQ(at, leaf.hpa.v);
	EXPECT_EQ(EPT_R | EPT_W, leaf.perms);
}

static void expect_sound(void)
{
	EXPECT_NULL(ept_audit(p).wrong);
	EXPECT_EQ(0x1000, ept_walk(&p->ept, gpa(0x1000)).hpa.v);
	EXPECT_EQ(0xfec00000, ept_walk(&p->ept, gpa(0xfec00000)).hpa.v);
}

/* What is not mapped needs no tables to be unmapped, at any level. */
static void test_unmapping_takes_nothing(void)
{
	u64 before;

	small_machine(true);
	leave(0);
	before = p->ept.pages;
	EXPECT_EQ(ERR_NONE, ept_unmap(&p->ept, gpa(GIB(700)), GIB(1) + MIB(2) + PAGE_SIZE));
	EXPECT_EQ(ERR_NONE, ept_unmap(&p->ept, gpa(GIB(5) + PAGE_SIZE), PAGE_SIZE));
	EXPECT_EQ(before, p->ept.pages);
	expect_sound();
}

/* Terabytes upwards, then at random: each access is answered, at a flush for some of them. */
static void test_far_gibs_are_recycled(void)
{
	u32 touched = 0;

	small_machine(false);
	fake.invepts = 0;
	for (u64 at = GIB(4); at < GIB(3 * 1024); at += GIB(3), touched++)
		touch(at + 0x12345000);
	EXPECT_LE(fake.invepts, touched / 8 + 1);
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(GIB(4))).size); /* the oldest */
	expect_sound();
	for (u32 i = 0; i < 1000; i++) {
		u64 at = GIB(4) + test_rng() % (BIT64(PHYS_BITS) - GIB(4)) / GIB(1) * GIB(1);

		if (ept_walk(&p->ept, gpa(at)).size == 0)
			touch(at);
	}
	expect_sound();
}

/* What one instruction touches is there together: two operands, code and page tables. */
static void test_the_newest_gibs_stay(void)
{
	small_machine(false);
	for (u64 at = GIB(4); at < GIB(600); at += GIB(1)) {
		touch(at);
		for (u64 k = 1; k < 8 && at - k * GIB(1) >= GIB(4); k++)
			EXPECT_NE(0, ept_walk(&p->ept, gpa(at - k * GIB(1))).size);
	}
}

/* 1-GiB pages need no table each, but one for 512. */
static void test_tables_of_empty_half_tebibytes_are_recycled(void)
{
	small_machine(true);
	for (u32 round = 0; round < 4; round++) {
		for (u64 at = GIB(512) + round * GIB(1); at < BIT64(PHYS_BITS); at += GIB(512))
			touch(at);
	}
	expect_sound();
}

static void apic_base(u64 at)
{
	paged_vp.apic.base_msr = at | APIC_BASE_EN;
	apic_page_remap(&paged_vp);
}

/* Neither an overlay nor pinned memory would come back by a violation. */
static void test_overlays_and_far_memory_are_not_recycled(void)
{
	const u64 far = GIB(50) + MIB(6); /* a device lies before it in its GiB */

	small_machine(false);
	fake_far_add(p, far, far + 0x2000);
	fake_far.again = 0;
	EXPECT_EQ(ERR_NONE, ept_map_lazy(p, gpa(far)));
	apic_base(GIB(100));
	for (u64 at = GIB(200); at < GIB(1000); at += GIB(2))
		touch(at);
	EXPECT_EQ(far, ept_walk(&p->ept, gpa(far)).hpa.v);
	EXPECT_EQ(p->apic_access_page.v, ept_walk(&p->ept, gpa(GIB(100))).hpa.v);
	apic_base(GIB(101));
	apic_base(0xfee00000);
}

static void test_an_apic_that_moves_for_ever_is_recycled(void)
{
	small_machine(false);
	for (u64 at = GIB(4); at < GIB(1024); at += GIB(1)) {
		apic_base(at + MIB(3));
		EXPECT_EQ(p->apic_access_page.v, ept_walk(&p->ept, gpa(at + MIB(3))).hpa.v);
	}
	expect_sound();
}

static void expect_stopped(enum fake_end end, const char *why)
{
	EXPECT_EQ(FAKE_END_HALT, end);
	EXPECT_TRUE(strstr(fake.console, why) != NULL);
	EXPECT_TRUE(strstr(fake.console, "panic") == NULL);
}

static void test_no_table_for_the_apic_page_stops_the_guest(void)
{
	small_machine(false);
	leave(0);
	expect_stopped(FAKE_CATCH(apic_base(MIB(64))),
		       "guest stopped: no memory for EPT tables: the guest moved its APIC");
}

static void test_no_table_for_the_mtrrs_stops_the_guest(void)
{
	small_machine(false);
	leave(0);
	paged_vp.mtrr.base[1] = MIB(64) | MT_UC;
	paged_vp.mtrr.mask[1] = (BIT64(PHYS_BITS) - PAGE_SIZE) | BIT64(11);
	expect_stopped(FAKE_CATCH(mtrr_cache_enabled(&paged_vp)),
		       "guest stopped: no memory for EPT tables: too many ranges");
}

static enum exit_action violation(u64 at)
{
	struct exit_info x = { .gpa = at, .qual = EPT_QUAL_WRITE | EPT_QUAL_GLA_VALID };

	return exit_ept_violation(&paged_vp, &x);
}

static void test_no_table_for_a_violation_stops_the_guest(void)
{
	small_machine(false);
	EXPECT_EQ(EXIT_RESUME, violation(GIB(5)));
	leave(0);
	EXPECT_EQ(EXIT_RESUME, violation(GIB(300))); /* in place of the one above */
	EXPECT_EQ(0, ept_walk(&p->ept, gpa(GIB(5))).size);
	small_machine(false);
	leave(0);
	EXPECT_EQ(EXIT_STOP, violation(GIB(700)));
	EXPECT_EQ(EXIT_STOP, violation(REGION_BASE)); /* no scratch page either */
}

TEST_MAIN(TEST(test_unmapping_takes_nothing), TEST(test_far_gibs_are_recycled),
	  TEST(test_the_newest_gibs_stay), TEST(test_tables_of_empty_half_tebibytes_are_recycled),
	  TEST(test_overlays_and_far_memory_are_not_recycled),
	  TEST(test_an_apic_that_moves_for_ever_is_recycled),
	  TEST(test_no_table_for_the_apic_page_stops_the_guest),
	  TEST(test_no_table_for_the_mtrrs_stops_the_guest),
	  TEST(test_no_table_for_a_violation_stops_the_guest))
