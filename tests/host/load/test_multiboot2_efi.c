/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/mb2info.c: what a multiboot 2 guest hears of EFI, and that the two maps it gets agree.
 */
#include "tests/host/load/mb2_info.h"

struct mb_efi_table {
	u32 type, size;
	u64 pointer;
};

struct mb_efi_map {
	u32 type, size, desc_size, desc_version;
	u8 desc[];
};

/* The type of the page at @pa as the guest reads it; ~0: no descriptor. */
static u32 efi_type_at(const struct mb_efi_map *m, u64 pa)
{
	u32 found = ~0u;

	for (u32 at = 0; 16 + at < m->size; at += m->desc_size) {
		struct efi_descriptor d;

		memcpy(&d, m->desc + at, sizeof(d));
		if (pa >= d.pa && pa - d.pa < d.pages << 12) {
			EXPECT_EQ(~0u, found); /* descriptors do not overlap */
			found = d.type;
		}
	}
	return found;
}

static void check_efi_map(u32 desc_size)
{
	const struct mb_efi_map *m = find(17, 0);
	const u32 *info = (const void *)(sim + sim_plan.rbx);

	EXPECT_NOT_NULL(m);
	EXPECT_EQ(desc_size, m->desc_size);
	EXPECT_EQ(1, m->desc_version);
	EXPECT_EQ(0, (m->size - 16) % desc_size);
	EXPECT_EQ(5, machine_efi.map.count); /* the firmware's own is not touched */
	for (u64 pa = 60u << 20; pa < 62u << 20; pa += 4096)
		EXPECT_EQ(0, efi_type_at(m, pa)); /* EfiReservedMemoryType */
	EXPECT_EQ(7, efi_type_at(m, (60u << 20) - 4096));
	EXPECT_EQ(7, efi_type_at(m, 62u << 20));
	EXPECT_EQ(6, efi_type_at(m, 0x3f00000));
	EXPECT_EQ(9, efi_type_at(m, 0x3f80000));
	EXPECT_EQ(3, efi_type_at(m, BASE - 4096));
	/* A guest takes conventional memory: not where its image, modules, information are. */
	for (u64 pa = BASE; pa < BASE + BSS; pa += 4096)
		EXPECT_EQ(2, efi_type_at(m, pa));
	EXPECT_EQ(7, efi_type_at(m, BASE + BSS));
	EXPECT_EQ(2, efi_type_at(m, sim_plan.rbx));
	EXPECT_EQ(2, efi_type_at(m, sim_plan.rbx + *info - 1));
	for (u32 i = 0; i < in.module_count; i++) {
		const struct mb_module *mod = find(3, i);

		EXPECT_EQ(2, efi_type_at(m, mod->start));
		EXPECT_EQ(2, efi_type_at(m, mod->end - 1));
	}
	/* Both maps call the same pages RAM. */
	for (u64 pa = 0; pa < 64u << 20; pa += 4096) {
		u32 type = efi_type_at(m, pa);

		EXPECT_EQ(e820_is_type(&sim_map, pa, 4096, E820_RAM),
			  (type >= 1 && type <= 4) || type == 7);
	}
}

static void test_efi_is_handed_on(void)
{
	static const u32 sizes[] = { 40, 48, 96 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(builds); i++) {
		const struct mb_efi_table *table;

		header_begin();
		TAG(1, 0, 11, 12, 17); /* asked for */
		builds[i % 3]();
		header_end(HEADER_AT);
		efi_machine(0x200000, sizes[i / 3]);
		module_add(0x1000000, 5000); /* stays; the other is in the way of the image */
		module_add(BASE + 0x10000, 70000);
		expect_load();
		check_image(BASE, MAGIC);
		check_strings();
		check_modules(BASE);
		check_efi_map(sizes[i / 3]);
		table = find(12, 0);
		EXPECT_NOT_NULL(table);
		EXPECT_EQ(16, table->size);
		EXPECT_EQ(0x123456789a, table->pointer);
		for (u32 type = 18; type < 21; type++)
			EXPECT_NULL(find(type, 0)); /* boot services have ended */
		EXPECT_NULL(find(11, 0));
	}
}

static void test_efi_tags_say_what_is_known(void)
{
	static const u32 asked[] = { 11, 12, 17 };

	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	efi_machine(0x200000, 48);
	machine_efi.is_64bit = false;
	machine_efi.systab_pa = 0x3f00018;
	expect_load();
	EXPECT_EQ(12, ((const struct tag *)find(11, 0))->size);
	EXPECT_EQ(0x3f00018, ((const u32 *)find(11, 0))[2]);
	EXPECT_NULL(find(12, 0));
	machine_efi.map.count = 0;
	expect_load();
	EXPECT_NOT_NULL(find(11, 0));
	EXPECT_NULL(find(17, 0));
	machine_efi.systab_pa = 0;
	expect_load();
	EXPECT_NULL(find(11, 0));
	EXPECT_NULL(find(12, 0));
	/* A BIOS machine, and demanded: "if it supports a given tag but the information conveyed by
	 * it is not available [it] passes control to the loaded image as usual". */
	for (u32 i = 0; i < ARRAY_SIZE(asked); i++) {
		header_begin();
		build_elf32();
		header_tag(1, 0, 1, &asked[i]);
		header_end(HEADER_AT);
		machine(0x200000);
		expect_load();
		for (u32 k = 0; k < ARRAY_SIZE(asked); k++)
			EXPECT_NULL(find(asked[k], 0));
	}
}

/* As many descriptors as there can be: the map of a guest has no room for its cuts. */
static void test_a_full_efi_map_is_left_out(void)
{
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	efi_machine(0x200000, 96);
	for (; machine_efi.map.count < EFI_MAP_MAX - 2 * LOAD_COPIES_MAX - 2;
	     machine_efi.map.count++)
		machine_efi.map.d[machine_efi.map.count] = (struct efi_descriptor){
			.type = 11, .pa = (4096ull + machine_efi.map.count) << 20, .pages = 1
		};
	expect_load();
	EXPECT_NOT_NULL(find(17, 0));
	EXPECT_GE(((const struct tag *)find(17, 0))->size, 16 + 96 * (machine_efi.map.count + 5));
	for (; machine_efi.map.count < EFI_MAP_MAX; machine_efi.map.count++)
		machine_efi.map.d[machine_efi.map.count] = (struct efi_descriptor){
			.type = 11, .pa = (4096ull + machine_efi.map.count) << 20, .pages = 1
		};
	expect_load();
	EXPECT_NULL(find(17, 0));
	EXPECT_NOT_NULL(find(12, 0));
}

TEST_MAIN(TEST(test_efi_is_handed_on), TEST(test_efi_tags_say_what_is_known),
	  TEST(test_a_full_efi_map_is_left_out))
