/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/shared_area.c: which addresses may be written, before and after the map changes. */
#include "tests/host/harness.h"

#include "core/mem/gpa.h"
#include "core/mem/shared_area.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct shared_area a;

static bool is_live_at(u64 addr, u32 len)
{
	err_t err = shared_area_set(&g.p, &a, addr, len);

	EXPECT_EQ(err == ERR_NONE, shared_area_is_live(&a));
	EXPECT_TRUE(err == ERR_NONE || err == ERR_FAULT);
	return err == ERR_NONE;
}

static void test_only_ram_in_one_page(void)
{
	u64 top = GUEST_RAM_BASE + GUEST_RAM_BYTES;

	fake_guest_init(&g, 1, NULL);
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE, 4096));
	EXPECT_TRUE(is_live_at(top - 64, 64));
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 4096 - 4, 4));
	EXPECT_FALSE(is_live_at(GUEST_RAM_BASE + 4096 - 4, 8)); /* two pages */
	EXPECT_FALSE(is_live_at(GUEST_RAM_BASE + 2, 4));
	EXPECT_FALSE(is_live_at(GUEST_RAM_BASE - 4, 4));
	EXPECT_FALSE(is_live_at(top, 4));
	EXPECT_FALSE(is_live_at(top - 32, 64));
	EXPECT_FALSE(is_live_at(0xfee00000, 4));
	EXPECT_FALSE(is_live_at(~0ull - 3, 4));
	EXPECT_FALSE(is_live_at(1ull << 62, 64));
}

/* Everything but plain read-write memory at its own address is an overlay: not RAM to the guest. */
static void test_overlays_and_back(void)
{
	static const struct {
		u64 hpa, perms;
		bool good;
	} maps[] = {
		{ GUEST_RAM_BASE + 0x3000, EPT_RWX, true },
		{ GUEST_RAM_BASE, EPT_RWX, false },
		{ GUEST_RAM_BASE + 0x3000, EPT_R, false },
		{ 0x12345000, EPT_R | EPT_W, false },
		{ GUEST_RAM_BASE + 0x3000, EPT_R | EPT_W, true },
	};
	u64 addr = GUEST_RAM_BASE + 0x3040;

	fake_guest_init(&g, 1, NULL);
	EXPECT_TRUE(is_live_at(addr, 64));
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		EXPECT_EQ(ERR_NONE, ept_map(&g.p.ept, gpa(GUEST_RAM_BASE + 0x3000),
					    hpa(maps[i].hpa), 4096, maps[i].perms, MT_WB));
		shared_area_recheck(&g.p, &a);
		EXPECT_EQ(maps[i].good, shared_area_is_live(&a));
	}
	EXPECT_EQ(ERR_NONE, ept_unmap(&g.p.ept, gpa(GUEST_RAM_BASE + 0x3000), 4096));
	shared_area_recheck(&g.p, &a);
	EXPECT_FALSE(shared_area_is_live(&a));
}

static void test_hypervisor_region(void)
{
	fake_guest_init(&g, 1, NULL);
	EXPECT_EQ(ERR_NONE,
		  e820_reserve(&g.p.memory, GUEST_RAM_BASE + 0x2000, 0x1000, E820_RESERVED));
	EXPECT_FALSE(is_live_at(GUEST_RAM_BASE + 0x2000, 4));
	EXPECT_FALSE(is_live_at(GUEST_RAM_BASE + 0x2ffc, 4));
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 0x1ffc, 4));
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 0x3000, 4));
}

/* Not live: nothing is read, nothing written; a cleared area stays so whatever the map does. */
static void test_dead_areas_do_nothing(void)
{
	static u8 before[GUEST_RAM_BYTES];

	fake_guest_init(&g, 1, NULL);
	memset(g.ram, 0xa5, sizeof(g.ram));
	memcpy(before, g.ram, sizeof(before));
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 0x1000, 64));
	EXPECT_EQ(0xa5a5a5a5, shared_read32(&a, 8));
	shared_area_clear(&g.p, &a);
	shared_area_recheck(&g.p, &a);
	shared_area_check(&g.p, &a); /* a CPU that was on its way there */
	shared_write8(&a, 0, 1);
	shared_write32(&a, 4, 1);
	shared_write64(&a, 8, 1);
	EXPECT_EQ(0, shared_xchg8(&a, 16, 1));
	EXPECT_EQ(0, shared_read8(&a, 0) | shared_read32(&a, 4));
	EXPECT_MEMEQ(before, g.ram, sizeof(before));
}

static void test_accesses(void)
{
	u8 *page;

	fake_guest_init(&g, 1, NULL);
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 0x1004, 64));
	page = g.ram + 0x1004;
	shared_write8(&a, 0, 0x11);
	shared_write32(&a, 4, 0x22334455);
	shared_write64(&a, 8, 0x1122334455667788);
	EXPECT_EQ(0x11, page[0]);
	EXPECT_EQ(0, page[1]);
	EXPECT_MEMEQ("\x55\x44\x33\x22\x88\x77\x66\x55\x44\x33\x22\x11", page + 4, 12);
	EXPECT_EQ(0x11, shared_xchg8(&a, 0, 0x99));
	EXPECT_EQ(0x99, shared_read8(&a, 0));
}

TEST_MAIN(TEST(test_only_ram_in_one_page), TEST(test_overlays_and_back),
	  TEST(test_hypervisor_region), TEST(test_dead_areas_do_nothing), TEST(test_accesses))
