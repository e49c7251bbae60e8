/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/efi_map.c and efi_table.c: captured and random EFI maps against a model that keeps the
 * descriptors of each page apart; the search for the RSDP in a machine of a few pages.
 */
#include "tests/host/harness.h"

#include "boot/load/efi.h"
#include "core/lib/bits.h"
#include "tests/host/load/efi_maps.h"

#define PAGES 256u
#define WB    8u

static struct efi_map map;
static struct e820_map e820;

#define OK(call)                           \
	do {                               \
		err_t err_ = (call);       \
                                           \
		EXPECT_EQ(ERR_NONE, err_); \
	} while (0)

/* As firmware hands it over: @stride bytes each, in an exact heap copy for ASan. */
static err_t parse(const struct efi_descriptor *d, u32 count, u32 stride)
{
	u64 len = (u64)count * stride;
	u8 *bytes = malloc(len == 0 ? 1 : len);
	err_t err;

	memset(bytes, 0xa5, len);
	for (u32 i = 0; i < count; i++)
		memcpy(bytes + (u64)i * stride, &d[i], sizeof(d[i]));
	map.desc_size = stride;
	map.desc_version = 1;
	err = efi_map_parse(&map, bytes, len);
	free(bytes);
	return err;
}

/* UEFI 2.10, "Memory Type Usage after ExitBootServices()", and Linux' choice for the rest; written
 * down apart from the code. Strength: who wins where descriptors overlap. */
static u32 expected_type(const struct efi_descriptor *d, bool idle, u32 *strength)
{
	static const struct {
		u32 efi, e820, strength;
	} row[] = {
		{ 1, 1, 0 },           { 2, 1, 0 },          { 3, 1, 0 },  { 4, 1, 0 },
		{ 5, 0x80000005, 5 },  { 6, 0x80000005, 5 }, { 7, 1, 0 },  { 8, 5, 8 },
		{ 9, 3, 1 },           { 10, 4, 2 },         { 14, 7, 4 }, { 11, 0x8000000b, 6 },
		{ 12, 0x8000000b, 6 },
	};
	bool cached = (d->attributes & WB) != 0;

	*strength = 3;
	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		if (row[i].efi != d->type)
			continue;
		if (d->type == 7 && (d->attributes & 0x40000) != 0) {
			*strength = 7;
			return 0xefffffff;
		}
		if (row[i].e820 == 1 && (!cached || (idle && (d->type == 3 || d->type == 4))))
			return 2;
		*strength = row[i].strength;
		return row[i].e820;
	}
	*strength = cached ? 3 : 6;
	return cached ? 2 : 0x8000000b;
}

/* The type of the page at @pa by all descriptors; 0: none. */
static u32 model_at(const struct efi_descriptor *d, u32 count, bool idle, u64 pa)
{
	u32 best = 0, best_strength = 0;

	for (u32 i = 0; i < count; i++) {
		u32 strength, type = expected_type(&d[i], idle, &strength);

		if (d[i].pages == 0 || d[i].pages >> 52 != 0 ||
		    d[i].pa + d[i].pages * 4096 - 1 < d[i].pa || pa < d[i].pa ||
		    (pa - d[i].pa) / 4096 >= d[i].pages)
			continue;
		if (best == 0 || strength > best_strength) {
			best = type;
			best_strength = strength;
		}
	}
	return best;
}

static u32 e820_at(const struct e820_map *m, u64 pa)
{
	for (u32 i = 0; i < m->count; i++) {
		if (pa >= m->e[i].base && pa - m->e[i].base < m->e[i].len)
			return m->e[i].type;
	}
	return 0;
}

static void expect_as_model(const struct efi_descriptor *d, u32 count, bool idle)
{
	OK(efi_map_to_e820(&map, idle, &e820));
	for (u32 i = 0; i < count; i++) {
		u64 at[] = { d[i].pa, d[i].pa - 4096, d[i].pa + d[i].pages / 2 * 4096,
			     d[i].pa + (d[i].pages - 1) * 4096, d[i].pa + d[i].pages * 4096 };

		for (u32 k = 0; k < ARRAY_SIZE(at); k++)
			EXPECT_EQ(model_at(d, count, idle, at[k]), e820_at(&e820, at[k]));
	}
}

static void expect_captured(const struct efi_descriptor *d, u32 count, u64 ram_mib)
{
	OK(parse(d, count, 48));
	EXPECT_EQ(count, map.count);
	expect_as_model(d, count, true);
	expect_as_model(d, count, false);
	EXPECT_LE(e820.count, 40);
	EXPECT_EQ(ram_mib, e820_ram_bytes(&e820) >> 20);
}

/* 6 GiB less 7 MiB that the firmware keeps; most of what is left was boot services'. */
static void test_maps_of_real_firmware(void)
{
	expect_captured(ovmf_pc, ARRAY_SIZE(ovmf_pc), 6137);
	expect_captured(ovmf_q35, ARRAY_SIZE(ovmf_q35), 6137);
}

static struct efi_descriptor random_descriptor(void)
{
	static const u64 attributes[] = { 0xf, 0xf, 0xf, 0xf, 1, 0x4000f };
	u64 first = test_rng() % PAGES;
	u64 pages = test_rng() % 24;

	return (struct efi_descriptor){
		.type = (u32)(test_rng() % 20 == 0 ? 0x70000000 + test_rng() : test_rng() % 17),
		.pa = first * 4096,
		.pages = test_rng() % 50 == 0 ? test_rng() : pages,
		.attributes = attributes[test_rng() % ARRAY_SIZE(attributes)],
	};
}

static void test_random_maps_overlapping_and_unsorted(void)
{
	static struct efi_descriptor d[100];

	for (u32 round = 0; round < 300; round++) {
		u32 count = (u32)(test_rng() % (round % 2 ? 20 : 100));
		u32 stride = 40 + 8 * (u32)(test_rng() % 4);

		for (u32 i = 0; i < count; i++)
			d[i] = random_descriptor();
		OK(parse(d, count, stride));
		OK(efi_map_to_e820(&map, round % 3 == 0, &e820));
		for (u64 page = 0; page < PAGES + 32; page++)
			EXPECT_EQ(model_at(d, count, round % 3 == 0, page * 4096),
				  e820_at(&e820, page * 4096));
	}
}

static void test_many_descriptors_are_joined(void)
{
	static struct efi_descriptor d[3000];

	for (u32 i = 0; i < 3000; i++) /* backwards: sorting comes first */
		d[i] = (struct efi_descriptor){ 7, 0, (2999 - i) * 4096ull, 0, 1, 0xf };
	OK(parse(d, 3000, 40));
	OK(efi_map_to_e820(&map, false, &e820));
	EXPECT_EQ(1, e820.count);
	EXPECT_EQ(3000 * 4096, e820_ram_bytes(&e820));
	for (u32 i = 0; i < 3000; i++)
		d[i].attributes |= 1ull << 63; /* runtime: each keeps its own virtual address */
	EXPECT_EQ((err_t)ERR_NOMEM, parse(d, 3000, 40));
	EXPECT_EQ(0, map.count);
}

/* Descriptor that says what @pa is; NULL: none. */
static const struct efi_descriptor *descriptor_at(u64 pa)
{
	for (u32 i = 0; i < map.count; i++) {
		if (pa >= map.d[i].pa && (pa - map.d[i].pa) / 4096 < map.d[i].pages)
			return &map.d[i];
	}
	return NULL;
}

/* Only RAM inside the range changes, and nothing but its type. */
static void test_set_splits_descriptors(void)
{
	for (u32 round = 0; round < 500; round++) {
		static struct efi_map before;
		u64 base = test_rng() % PAGES, pages = test_rng() % 40, at = 0;

		map.count = 0;
		for (u32 i = 0; i < 20; i++) {
			struct efi_descriptor d = { 0, 0, at * 4096, i, 1 + test_rng() % 20, 0xf };

			d.type = test_rng() % 3 == 0 ? EFI_RUNTIME_SERVICES_DATA : EFI_CONVENTIONAL;
			at += d.pages + test_rng() % 3;
			map.d[map.count++] = d;
		}
		before = map;
		OK(efi_map_set(&map, base * 4096, pages * 4096, EFI_RESERVED));
		EXPECT_LE(map.count, before.count + 2);
		for (u32 i = 0; i < before.count; i++) {
			const struct efi_descriptor *was = &before.d[i];

			for (u64 page = 0; page < was->pages; page++) {
				u64 pa = was->pa + page * 4096;
				const struct efi_descriptor *is = descriptor_at(pa);
				bool inside = pa >= base * 4096 && pa < (base + pages) * 4096;

				EXPECT_TRUE(is != NULL);
				EXPECT_EQ(inside && was->type == EFI_CONVENTIONAL ? EFI_RESERVED
										  : was->type,
					  is->type);
				EXPECT_EQ(was->va, is->va);
				EXPECT_EQ(was->attributes, is->attributes);
			}
		}
		for (u32 i = 1; i < map.count; i++)
			EXPECT_LE(map.d[i - 1].pa + map.d[i - 1].pages * 4096, map.d[i].pa);
	}
}

static void test_set_without_room_changes_nothing(void)
{
	map.count = EFI_MAP_MAX - 1;
	for (u32 i = 0; i < map.count; i++)
		map.d[i] =
			(struct efi_descriptor){ EFI_CONVENTIONAL, 0, i * 0x10000ull, 0, 16, 0xf };
	EXPECT_EQ((err_t)ERR_NOMEM, efi_map_set(&map, 0x11000, 0x1000, EFI_RESERVED));
	EXPECT_EQ(EFI_MAP_MAX - 1, map.count);
	EXPECT_EQ(EFI_CONVENTIONAL, map.d[1].type);
	OK(efi_map_set(&map, 0x11000, 0xf000, EFI_RESERVED));
	EXPECT_EQ(EFI_MAP_MAX, map.count);
}

/* The guest's e820 map and its EFI map call the same pages RAM. */
static void test_edited_map_agrees_with_e820(void)
{
	u64 region = 0x7c000000, len = 0x400000;

	OK(parse(ovmf_q35, ARRAY_SIZE(ovmf_q35), 48));
	OK(efi_map_to_e820(&map, false, &e820));
	OK(e820_reserve(&e820, region, len, E820_RESERVED));
	OK(e820_reserve(&e820, 0x100000, 0x3000, E820_RESERVED));
	OK(efi_map_agree(&map, &e820));
	for (u32 i = 0; i < map.count; i++) {
		const struct efi_descriptor *d = &map.d[i];

		for (u64 page = 0; page < d->pages; page += 1 + d->pages / 64)
			EXPECT_EQ(e820_at(&e820, d->pa + page * 4096) == E820_RAM,
				  efi_e820_type(d) == E820_RAM);
	}
	for (u64 pa = region; pa < region + len; pa += 4096)
		EXPECT_EQ(EFI_RESERVED, descriptor_at(pa)->type);
	EXPECT_NE(EFI_RESERVED, descriptor_at(region - 4096)->type);
	EXPECT_NE(EFI_RESERVED, descriptor_at(region + len)->type);
}

/* What the guest calls may have a type of the firmware's own. */
static void test_the_runtime_attribute_counts(void)
{
	static const struct {
		u32 type;
		u64 attributes;
		u32 e820;
	} row[] = {
		{ 0, EFI_MEMORY_RUNTIME | 0xf, E820_EFI_RUNTIME },
		{ 0x80000001, EFI_MEMORY_RUNTIME | 0xf, E820_EFI_RUNTIME },
		{ 0, 0xf, E820_RESERVED },
		{ 0, EFI_MEMORY_RUNTIME | 1, E820_EFI_MMIO },
		{ EFI_MMIO, EFI_MEMORY_RUNTIME | 1, E820_EFI_MMIO },
		{ EFI_CONVENTIONAL, 0xf, E820_RAM },
		{ EFI_CONVENTIONAL, 0x2700f, E820_RAM }, /* WP, RP, XP, RO: of no consequence */
		{ EFI_CONVENTIONAL, 0x1000f, E820_RAM }, /* MORE_RELIABLE */
	};

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		struct efi_descriptor d = { .type = row[i].type, .attributes = row[i].attributes };

		EXPECT_EQ(row[i].e820, efi_e820_type(&d));
	}
}

/* High-bandwidth and persistent memory, and what runtime services use: never ours, and the guest is
 * told what it is. */
static void test_special_memory_is_not_ours(void)
{
	static struct efi_map m = {
		.desc_size = 48,
		.count = 5,
		.d = {
			{ EFI_CONVENTIONAL, 0, MIB(1), 0, MIB(63) >> 12, 0xf },
			{ EFI_CONVENTIONAL, 0, MIB(64), 0, MIB(64) >> 12, EFI_MEMORY_SP | 0xf },
			{ EFI_PERSISTENT, 0, MIB(128), 0, MIB(64) >> 12, 0x800f },
			{ EFI_RESERVED, 0, MIB(192), 0, MIB(64) >> 12, EFI_MEMORY_RUNTIME | 0xf },
			{ EFI_UNACCEPTED, 0, MIB(256), 0, MIB(64) >> 12, 0xf },
		},
	};
	static const u32 shown[] = { E820_RAM, E820_SOFT_RESERVED, E820_PMEM, E820_RESERVED };
	static struct e820_map guest;
	u64 base;

	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&m, false, &e820));
	EXPECT_EQ(ERR_NONE, e820_find_high(&e820, NULL, 0, GIB(4), MIB(2), MIB(2), &base));
	EXPECT_EQ(MIB(62), base);
	EXPECT_EQ(ERR_NOENT, e820_find_high(&e820, NULL, MIB(64), GIB(4), 4096, 4096, &base));
	e820_public(&e820, &guest);
	EXPECT_EQ(ARRAY_SIZE(shown), guest.count); /* the last two are joined */
	for (u32 i = 0; i < guest.count; i++)
		EXPECT_EQ(shown[i], guest.e[i].type);
}

static void test_write_keeps_firmwares_stride(void)
{
	u8 out[3 * 48];

	OK(parse(ovmf_pc, 3, 48));
	EXPECT_EQ(sizeof(out), efi_map_bytes(&map));
	memset(out, 0xff, sizeof(out));
	efi_map_write(&map, out);
	for (u32 i = 0; i < 3; i++) {
		EXPECT_MEMEQ(&ovmf_pc[i], out + i * 48, 40);
		EXPECT_EQ(0, out[i * 48 + 47]);
	}
}

/* --- the system table ----------------------------------------------------------------------------
 */

static u8 ram[0x3000];

static const void *map_ram(void *ctx, u64 pa, u64 len)
{
	return pa <= sizeof(ram) && len <= sizeof(ram) - pa ? ram + pa : NULL;
}

static const char guid_20[] = "\x71\xe8\x68\x88\xf1\xe4\xd3\x11\xbc\x22\x00\x80\xc7\x3c\x88\x81";
static const char guid_10[] = "\x30\x2d\x9d\xeb\x88\x2d\xd3\x11\x9a\x16\x00\x90\x27\x3f\xc1\x4d";

/* A table of three entries whose second is ACPI 1.0 and whose third is @last. */
static struct boot_efi machine(bool is_64bit, const char *last)
{
	struct boot_efi efi = { .present = true, .is_64bit = is_64bit, .systab_pa = 0x1000 };
	u32 entry = is_64bit ? 24 : 20, count = 3;
	u64 table = 0x2000, rsdp[] = { 0x111, 0xf0000, 0x1f77e014 };

	memset(ram, 0, sizeof(ram));
	memcpy(ram + 0x1000, "IBI SYST", 8);
	memcpy(ram + 0x1000 + (is_64bit ? 104 : 64), &count, 4);
	memcpy(ram + 0x1000 + (is_64bit ? 112 : 68), &table, is_64bit ? 8 : 4);
	memset(ram + 0x2000, 0x42, 16);
	memcpy(ram + 0x2000 + entry, guid_10, 16);
	memcpy(ram + 0x2000 + 2 * entry, last, 16);
	for (u32 i = 0; i < 3; i++)
		memcpy(ram + 0x2000 + i * entry + 16, &rsdp[i], is_64bit ? 8 : 4);
	return efi;
}

static void test_rsdp_is_in_the_configuration_table(void)
{
	for (u32 wide = 0; wide < 2; wide++) {
		struct boot_efi efi = machine(wide, guid_20);

		EXPECT_EQ(0x1f77e014, efi_find_rsdp(&efi, map_ram, NULL));
		efi = machine(wide, guid_10 + 1); /* another GUID */
		EXPECT_EQ(0xf0000, efi_find_rsdp(&efi, map_ram, NULL));
	}
}

static void test_bad_tables_are_survived(void)
{
	struct boot_efi efi = machine(true, guid_20);
	u32 many = 1025, some = 200;
	u64 far = ~0ull - 8;

	efi.systab_pa = 0;
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
	efi.systab_pa = 0x2fff; /* passes the end */
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
	efi.systab_pa = 0x1000;
	memcpy(ram + 0x1000 + 104, &many, 4);
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
	memcpy(ram + 0x1000 + 104, &some, 4); /* 4800 bytes: more than is mapped */
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
	efi = machine(true, guid_20);
	memcpy(ram + 0x1000 + 112, &far, 8);
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
	efi = machine(true, guid_20);
	ram[0x1000] = 'X';
	EXPECT_EQ(0, efi_find_rsdp(&efi, map_ram, NULL));
}

TEST_MAIN(TEST(test_maps_of_real_firmware), TEST(test_random_maps_overlapping_and_unsorted),
	  TEST(test_many_descriptors_are_joined), TEST(test_set_splits_descriptors),
	  TEST(test_set_without_room_changes_nothing), TEST(test_edited_map_agrees_with_e820),
	  TEST(test_the_runtime_attribute_counts), TEST(test_special_memory_is_not_ours),
	  TEST(test_write_keeps_firmwares_stride), TEST(test_rsdp_is_in_the_configuration_table),
	  TEST(test_bad_tables_are_survived))
