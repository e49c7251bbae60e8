/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/mb2.c: the tags of EFI, whose memory map wins over the loader's.
 */
#include "tests/host/load/mb2_tags.h"

static const u64 efi_ram[][5] = {
	/* type and padding, address, virtual, pages, attributes */
	{ 7, 0x0, 0, 0xa0, 0xf },
	{ 4, 0x100000, 0, 0x700, 0xf },
	{ 5, 0x800000, 0, 0x100, 0x800000000000000f },
	{ 7, 0x900000, 0, 0x10000, 0xf },
};

/* @stride bytes each, the last one cut by @cut bytes. */
static void efi_mmap_tag(const u64 (*d)[5], u32 count, u32 stride, u32 cut)
{
	static u8 data[8 + 2000 * 48];
	u32 head[2] = { stride, 1 };

	memset(data, 0xa5, sizeof(data));
	memcpy(data, head, 8);
	for (u32 i = 0; i < count; i++)
		memcpy(data + 8 + i * stride, d[i], 40);
	tag(17, data, 8 + count * stride - cut);
}

static void efi_machine(void)
{
	u64 systab = 0x1f7ec018;

	begin();
	mmap_tag(two_ranges, 2);
	tag(12, &systab, 8);
	efi_mmap_tag(efi_ram, 4, 48, 0);
}

static void test_efi_information_comes_through(void)
{
	efi_machine();
	expect_ok();
	EXPECT_TRUE(bi.efi.present);
	EXPECT_TRUE(bi.efi.is_64bit);
	EXPECT_EQ(0x1f7ec018, bi.efi.systab_pa);
	EXPECT_EQ(48, bi.efi.map.desc_size);
	EXPECT_EQ(1, bi.efi.map.desc_version);
	EXPECT_EQ(4, bi.efi.map.count);
	EXPECT_EQ(EFI_RUNTIME_SERVICES_CODE, bi.efi.map.d[2].type);
	EXPECT_EQ(0x100, bi.efi.map.d[2].pages);
	/* The firmware's map wins over the loader's. */
	EXPECT_EQ(0xa0000 + 0x700000 + 0x10000000, e820_ram_bytes(&bi.memory));
	EXPECT_EQ(0xa0000 + 0x10000000, e820_ram_bytes(&bi.memory_idle));
	begin();
	mmap_tag(two_ranges, 2);
	expect_ok();
	EXPECT_FALSE(bi.efi.present);
	EXPECT_EQ(0, bi.efi.map.count);
	EXPECT_EQ(0x1ff9f000, e820_ram_bytes(&bi.memory_idle));
}

static void test_efi_of_32_bits(void)
{
	u32 systab = 0xdeadb000;

	begin();
	mmap_tag(two_ranges, 2);
	tag(11, &systab, 4);
	tag(19, &systab, 4);
	expect_ok();
	EXPECT_TRUE(bi.efi.present);
	EXPECT_FALSE(bi.efi.is_64bit);
	EXPECT_EQ(0xdeadb000, bi.efi.systab_pa);
	/* No EFI map: the loader's is all there is. */
	EXPECT_EQ(0, bi.efi.map.count);
	EXPECT_EQ(0x1ff9f000, e820_ram_bytes(&bi.memory));
}

static void test_efi_boot_services_stop_the_boot(void)
{
	efi_machine();
	tag(18, NULL, 0);
	expect_why("EFI boot services still run");
}

static void test_malformed_efi_tags_are_named(void)
{
	static const struct {
		u32 stride, cut;
		const char *why;
	} row[] = { { 40, 0, NULL },
		    { 48, 1, "ends inside a descriptor" },
		    { 32, 0, "descriptor size" },
		    { 41, 0, "descriptor size" },
		    { 104, 0, "descriptor size" },
		    { 0, 0, "descriptor size" } };
	u32 small[3] = { 0 };

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		mmap_tag(two_ranges, 2);
		efi_mmap_tag(efi_ram, 4, row[i].stride, row[i].cut);
		if (row[i].why != NULL)
			expect_why(row[i].why);
		else
			expect_ok();
	}
	begin();
	tag(11, small, 3);
	expect_why("EFI system table tag");
	begin();
	tag(12, small, 7);
	expect_why("EFI system table tag");
	begin();
	tag(17, small, 7);
	expect_why("EFI memory map tag");
}

/* What the loader's own map cannot hold does not matter where the firmware's is there. */
static void test_efi_map_replaces_a_loader_map_too_long(void)
{
	static u64 many[400][3];

	for (u32 i = 0; i < 400; i++) {
		many[i][0] = i * 0x1000ull;
		many[i][1] = 0x1000;
		many[i][2] = i % 2 + 1;
	}
	begin();
	mmap_tag((const u64(*)[3])many, 400);
	efi_mmap_tag(efi_ram, 4, 48, 0);
	expect_ok();
	EXPECT_EQ(0xa0000 + 0x700000 + 0x10000000, e820_ram_bytes(&bi.memory));
}

TEST_MAIN(TEST(test_efi_information_comes_through), TEST(test_efi_of_32_bits),
	  TEST(test_efi_boot_services_stop_the_boot), TEST(test_malformed_efi_tags_are_named),
	  TEST(test_efi_map_replaces_a_loader_map_too_long))
