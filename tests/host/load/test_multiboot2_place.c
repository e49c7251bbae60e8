/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/multiboot2.c, mb2header.c: where a relocatable image goes among the images that are
 * there, and where a guest starts.
 */
#include "tests/host/load/mb2_info.h"

struct place {
	u32 min, max, align, preference;
	u64 base; /* 0: refused */
};

/* RAM of the machine: 1 to 60 MiB, our region, 62 MiB to 63.9 MiB. */
static const struct place places[] = {
	{ 0, 0xffffffff, 4096, 0, BASE }, /* stays */
	{ 0, BASE + BSS, 4096, 0, BASE }, /* the end may touch max */
	{ BASE, 0xffffffff, 1, 0, BASE }, /* and the start min */
	{ 0, 0xffffffff, 0, 0, BASE },    /* alignment 0: none */
	{ BASE + 1, 0xffffffff, 4096, 0, BASE + 0x1000 },
	{ 0, 0xffffffff, 8u << 20, 0, 8u << 20 }, /* not aligned where it is */
	{ 0, 0xffffffff, 4096, 2, 0x3900000 },    /* below our region */
	{ 0, 0x3000001, 2u << 20, 2, 0x2c00000 },
	{ 0x3000000, 0x4000000, 4096, 1, 0x3000000 },
	{ 0, 0x200000, 4096, 0, 0 },
	{ 0, BASE + BSS - 1, 4u << 20, 0, 0 },
	{ 0x3b00000, 0xffffffff, 4096, 1, 0 },
};

static void test_relocatable_images_go_where_they_may(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(builds); k++) {
		for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
			const struct place *p = &places[i];

			header_begin();
			TAG(10, 0, p->min, p->max, p->align, p->preference);
			builds[k]();
			header_end(HEADER_AT);
			if (p->base == 0) {
				expect_refused("no place for the image");
				continue;
			}
			machine(0x180000);
			expect_load();
			check_image(p->base, MAGIC);
			check_info(p->base);
			EXPECT_EQ(12, ((const u32 *)find(21, 0))[1]);
			EXPECT_EQ(p->base, ((const u32 *)find(21, 0))[2]);
		}
	}
	header_begin();
	TAG(10, 0, 0, 0xffffffff, 3, 0);
	build_elf32();
	header_end(HEADER_AT);
	expect_refused("no power of two");
}

/* The image itself and a module fill the only place: they are moved away first. */
static void test_lowest_place_is_clear_of_images(void)
{
	header_begin();
	TAG(10, 0, 0x100000, 0xffffffff, 4096, 1);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x300000);
	module_add(0x180000, 1000);
	expect_load();
	check_image(0x304000, MAGIC);
	check_info(0x304000);
	machine(0x100000);
	module_add(0x3000000, 0x20000);
	expect_load();
	check_image(0x104000, MAGIC);
	check_info(0x104000);
	header_begin();
	TAG(10, 0, 0x100000, 0xffffffff, 4096, 2);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x300000);
	module_add(0x3a00000, 1000);
	expect_load();
	check_image(0x3a00000 - BSS, MAGIC);
	check_info(0x3a00000 - BSS);
}

/* They move together: the second to where the first was linked. */
static void test_two_segments_move_together(void)
{
	Elf32_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = TEXT + 0x1000,
			 .p_vaddr = BASE + BSS,
			 .p_paddr = BASE + BSS,
			 .p_filesz = 0x1000,
			 .p_memsz = 0x1000 };

	header_begin();
	TAG(10, 0, BASE - BSS, 0xffffffff, 4096, 1);
	build_elf32();
	image[offsetof(Elf32_Ehdr, e_phnum)] = 2;
	memcpy(image + sizeof(Elf32_Ehdr) + sizeof(p), &p, sizeof(p));
	header_end(HEADER_AT);
	machine(0x3000000);
	expect_load();
	check_image(BASE - BSS, MAGIC);
	EXPECT_MEMEQ(image + TEXT + 0x1000, sim + BASE, 0x1000);
}

static void test_entry_address_replaces_that_of_the_elf(void)
{
	header_begin();
	TAG(3, 0, BASE + 0x10);
	build_elf32();
	memset(image + offsetof(Elf32_Ehdr, e_entry), 0x40, 4);
	header_end(HEADER_AT);
	expect_refused("ELF entry point"); /* both must make sense */
	header_begin();
	TAG(3, 0, BASE + 0x30);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	EXPECT_EQ(BASE + 0x30, sim_plan.rip);
	header_begin();
	TAG(3, 0, BASE + 0x30);
	TAG(10, 0, 0x1000000, 0xffffffff, 4096, 1);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	EXPECT_EQ(0x1000030, sim_plan.rip);
	header_begin();
	TAG(3, 0, BASE + BSS);
	build_elf32();
	header_end(HEADER_AT);
	expect_refused("entry address 0x700000");
}

TEST_MAIN(TEST(test_relocatable_images_go_where_they_may),
	  TEST(test_lowest_place_is_clear_of_images), TEST(test_two_segments_move_together),
	  TEST(test_entry_address_replaces_that_of_the_elf))
