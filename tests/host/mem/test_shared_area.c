/* SPDX-License-Identifier: BSD-2-Clause */
/* core/mem/shared_area.c: which addresses may be written, before and after the map changes. */
#include "tests/host/harness.h"

#include "core/mem/gpa.h"
#include "core/mem/shared_area.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct shared_area a;

static void start(void)
{
	fake_guest_init(&g, 1, NULL);
	a = (struct shared_area){ 0 };
}

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

	start();
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

	start();
	EXPECT_TRUE(is_live_at(addr, 64));
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		EXPECT_EQ(ERR_NONE, ept_map(&g.p.ept, gpa(GUEST_RAM_BASE + 0x3000),
					    hpa(maps[i].hpa), 4096, maps[i].perms, MT_WB));
		shared_area_check_all(&g.p);
		EXPECT_EQ(maps[i].good, shared_area_is_live(&a));
	}
	EXPECT_EQ(ERR_NONE, ept_unmap(&g.p.ept, gpa(GUEST_RAM_BASE + 0x3000), 4096));
	shared_area_check_all(&g.p);
	EXPECT_FALSE(shared_area_is_live(&a));
}

static void test_hypervisor_region(void)
{
	start();
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

	start();
	memset(g.ram, 0xa5, sizeof(g.ram));
	memcpy(before, g.ram, sizeof(before));
	EXPECT_TRUE(is_live_at(GUEST_RAM_BASE + 0x1000, 64));
	EXPECT_EQ(0xa5a5a5a5, shared_read32(&a, 8));
	shared_area_clear(&g.p, &a);
	shared_area_check_all(&g.p);
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

	start();
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

static bool is_listed(const struct shared_area *which)
{
	const struct shared_area *at = g.p.shared_areas;

	while (at != NULL && at != which)
		at = at->next;
	return at != NULL;
}

/* What is registered, live or not, is checked again when the map changes; nothing else is. */
static void test_the_list_is_what_is_registered(void)
{
	static struct shared_area some[4];
	bool registered[ARRAY_SIZE(some)] = { 0 };

	start();
	memset(some, 0, sizeof(some));
	for (int round = 0; round < 2000; round++) {
		u32 i = (u32)(test_rng() % ARRAY_SIZE(some));
		u64 at = test_rng() % 4 == 0 ? 0xfee00000 : GUEST_RAM_BASE + i * 4096;

		registered[i] = test_rng() % 2 == 0;
		if (registered[i])
			EXPECT_EQ(at >= 0xfee00000 ? ERR_FAULT : ERR_NONE,
				  shared_area_set(&g.p, &some[i], at, 8));
		else
			shared_area_clear(&g.p, &some[i]);
		for (i = 0; i < ARRAY_SIZE(some); i++) {
			EXPECT_EQ(registered[i], is_listed(&some[i]));
			EXPECT_EQ(shared_area_is_live(&some[i]),
				  shared_area_is_on_page(&g.p, GUEST_RAM_BASE + i * 4096));
		}
	}
}

static void test_asking_registers_nothing(void)
{
	start();
	EXPECT_TRUE(shared_area_would_be_live(&g.p, GUEST_RAM_BASE + 0x1000, 4));
	EXPECT_FALSE(shared_area_would_be_live(&g.p, GUEST_RAM_BASE + 0x1002, 4));
	EXPECT_FALSE(shared_area_would_be_live(&g.p, 0xfee00000, 4));
	EXPECT_NULL(g.p.shared_areas);
}

/* A page of ours needs no place in the guest's memory: no change of the map ends it. */
static void test_memory_of_our_own(void)
{
	static u8 mine[8];

	start();
	shared_area_set_own(&a, mine);
	EXPECT_TRUE(shared_area_is_live(&a));
	EXPECT_FALSE(shared_area_is_registered(&a));
	shared_area_check_all(&g.p);
	shared_write32(&a, 4, 0x12345678);
	EXPECT_MEMEQ("\x78\x56\x34\x12", mine + 4, 4);
	shared_area_clear(&g.p, &a);
	EXPECT_FALSE(shared_area_is_live(&a));
}

TEST_MAIN(TEST(test_only_ram_in_one_page), TEST(test_overlays_and_back),
	  TEST(test_hypervisor_region), TEST(test_dead_areas_do_nothing), TEST(test_accesses),
	  TEST(test_the_list_is_what_is_registered), TEST(test_asking_registers_nothing),
	  TEST(test_memory_of_our_own))
