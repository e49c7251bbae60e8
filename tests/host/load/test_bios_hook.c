/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/bios_hook.c for guests that a loader starts: the block is in the map that they are
 * told, the vectors lead to it, and a guest that needs its place starts without it.
 */
#include "tests/host/load/mb_sim.h"

#include "boot/load/bios_hook.h"
#include "boot/load/disk_stub.h"
#include "core/lib/bits.h"
#include "tests/host/load/fields.h"

#define BLOCK  0x9ec00u /* below the EBDA of sim_machine() */
#define INT12  (4 * 0x12)
#define INT15  (4 * 0x15)
#define OLD_12 0xf000f841u
#define OLD_15 0xf000f859u
#define KIBS   0x413u /* in the BIOS data area */

static const u8 stub[64] = { 0xeb, 0xfe, 0, 0, 0x22, 0x11, 0x44, 0x33 };
static const struct bios_info bios = {
	.is_present = true, .conventional_kib = 639, .int12 = OLD_12, .int15 = OLD_15
};
static const struct bios_hook hook = {
	.what = "the BIOS", .bios = &bios, .stub = stub, .stub_len = sizeof(stub)
};

/* A multiboot 1 image, linked to @base. */
static void multiboot(u32 base)
{
	const u32 header[3] = { 0x1badb002, 3, 0u - 0x1badb002 - 3 };
	Elf32_Ehdr *h = mb_elf32();
	Elf32_Phdr *p = (void *)(h + 1);

	p->p_paddr = p->p_vaddr = base;
	p->p_memsz = CODE;
	h->e_entry = base + 0x10;
	memcpy(image + TEXT + 4, header, sizeof(header));
	machine(0x200000);
	put_u32(sim + INT12, OLD_12);
	put_u32(sim + INT15, OLD_15);
	put_u16(sim + KIBS, 639);
	in.hook = &hook;
}

static void test_a_multiboot_guest_is_told_of_the_block(void)
{
	const u8 *mbi, *block = sim + BLOCK;
	u64 map;

	multiboot(BASE);
	expect_load();
	EXPECT_EQ(BLOCK, sim_plan.bios_hook);
	EXPECT_EQ(BLOCK / 16 << 16 | 0x1122, get_u32(sim + INT15));
	EXPECT_EQ(BLOCK / 16 << 16 | 0x3344, get_u32(sim + INT12));
	EXPECT_EQ(BLOCK / 1024, get_u16(sim + KIBS));
	mbi = sim + sim_plan.rbx;
	EXPECT_EQ(BLOCK / 1024, get_u32(mbi + 4)); /* mem_lower */
	map = get_u32(mbi + 48);
	EXPECT_EQ(BLOCK, get_u64(sim + map + 4 + 8)); /* where the first range ends */
	/* The block has the firmware's handlers, and the same map. */
	block = sim + BLOCK;
	EXPECT_EQ(OLD_15, get_u32(block + DISK_STUB_OLD_INT15));
	EXPECT_EQ(OLD_12, get_u32(block + DISK_STUB_OLD_INT12));
	EXPECT_EQ(get_u32(mbi + 44) / 24, get_u32(block + DISK_STUB_MAP_COUNT));
	for (u32 i = 0; i < get_u32(block + DISK_STUB_MAP_COUNT); i++)
		EXPECT_MEMEQ(sim + map + i * 24 + 4,
			     block + sizeof(stub) + i * DISK_MAP_ENTRY_BYTES, 20);
}

/* Its place, the vectors or the BIOS data area: then the BIOS stays as it is, and the plan says
 * why. */
static void test_a_guest_in_its_place_starts_without_it(void)
{
	static const u32 base[] = { 0x9d000, 0x0 };

	for (u32 i = 0; i < ARRAY_SIZE(base); i++) {
		multiboot(base[i]);
		EXPECT_EQ(ERR_NONE, sim_load(&in));
		EXPECT_EQ(0, sim_plan.bios_hook);
		EXPECT_CONTAINS(sim_plan.why, "link it");
		if (base[i] != 0)
			EXPECT_EQ(OLD_15, get_u32(sim + INT15));
		EXPECT_EQ(0x9fc00 / 1024, get_u32(sim + sim_plan.rbx + 4));
	}
}

static void test_a_machine_without_a_bios(void)
{
	multiboot(BASE);
	in.hook = NULL;
	expect_load();
	EXPECT_EQ(0, sim_plan.bios_hook);
	EXPECT_EQ('\0', sim_plan.why[0]);
	EXPECT_EQ(OLD_15, get_u32(sim + INT15));
}

TEST_MAIN(TEST(test_a_multiboot_guest_is_told_of_the_block),
	  TEST(test_a_guest_in_its_place_starts_without_it), TEST(test_a_machine_without_a_bios))
