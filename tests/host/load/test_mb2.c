/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/mb2.c: well-formed information comes through, malformed is named, nothing is overread.
 * test_mb2_memory.c has the memory map, test_mb2_screen.c the framebuffer, test_mb2_efi.c what the
 * loader says of EFI.
 */
#include "tests/host/load/mb2_tags.h"

static void typical(void)
{
	u8 old[20] = "RSD PTR old", new[36] = "RSD PTR new";

	begin();
	tag(1, "log=com2", 9);
	tag(2, "GRUB 2.06", 10);
	module_tag(0x200000, 0x300000, "kernel: quiet");
	module_tag(0x300000, 0x300001, "");
	tag(9, "elf sections, not ours", 20);
	tag(15, new, 36);
	tag(14, old, 20);
	tag(21, "unknown", 3);
	mmap_tag(two_ranges, 2);
}

static void test_typical_information(void)
{
	typical();
	expect_ok();
	EXPECT_STREQ("log=com2", bi.cmdline);
	EXPECT_STREQ("GRUB 2.06", bi.loader);
	EXPECT_EQ(2, bi.module_count);
	EXPECT_EQ(0x200000, bi.module[0].start.v);
	EXPECT_EQ(0x100000, bi.module[0].len);
	EXPECT_STREQ("kernel: quiet", bi.module[0].string);
	EXPECT_STREQ("", bi.module[1].string);
	EXPECT_EQ(2, bi.memory.count);
	EXPECT_EQ(0x1ff9f000, e820_ram_bytes(&bi.memory));
	EXPECT_TRUE(bi.has_rsdp);
	EXPECT_EQ(36, bi.rsdp_len);
	EXPECT_MEMEQ("RSD PTR new", bi.rsdp, 11);
	EXPECT_EQ(used, bi.mb2_len);
}

static void test_every_truncation_is_refused(void)
{
	u32 full;

	typical();
	parse();
	full = used;
	for (u32 len = 0; len < full; len++) {
		/* As handed over, and with a total size that tells the truncated truth. */
		memcpy(buf, &full, 4);
		EXPECT_NE(ERR_NONE, parse_raw(len));
		memcpy(buf, &len, 4);
		EXPECT_NE(ERR_NONE, parse_raw(len));
	}
}

/* What holds for all that is accepted: whole strings, a memory map in order with RAM in it. */
static void check_info(void)
{
	EXPECT_TRUE(memchr(bi.cmdline, 0, sizeof(bi.cmdline)) != NULL);
	EXPECT_TRUE(memchr(bi.loader, 0, sizeof(bi.loader)) != NULL);
	EXPECT_LE(bi.module_count, BOOT_MODULES_MAX);
	for (u32 i = 0; i < bi.module_count; i++) {
		const struct boot_module *m = &bi.module[i];

		EXPECT_TRUE(memchr(m->string, 0, sizeof(m->string)) != NULL);
		EXPECT_LE(m->start.v + m->len, 0xffffffff); /* the tag's fields have 32 bits */
	}
	EXPECT_LE(bi.rsdp_len, sizeof(bi.rsdp));
	EXPECT_NE(0, e820_ram_bytes(&bi.memory));
	for (u32 i = 1; i < bi.memory.count; i++)
		EXPECT_LE(bi.memory.e[i - 1].base + bi.memory.e[i - 1].len, bi.memory.e[i].base);
}

/* parse_raw() sees to it that a refusal has its reason, and ASan that nothing else is read. */
static void test_random_damage_is_survived(void)
{
	const u32 runs = 20000;
	u32 accepted = 0;

	for (u32 i = 0; i < runs; i++) {
		typical();
		tag(0, NULL, 0);
		memcpy(buf, &used, 4);
		for (u32 k = 0; k < 4; k++)
			buf[test_rng() % used] = (u8)test_rng();
		if (parse_raw(used) != ERR_NONE)
			continue;
		accepted++;
		check_info();
	}
	EXPECT_GE(accepted, runs / 10);
	EXPECT_GE(runs - accepted, runs / 10);
}

static void test_malformed_tags_are_named(void)
{
	u32 entry[8] = { 20 };
	u32 none = 0;

	begin();
	expect_why("no memory map");
	begin();
	tag(1, "abc", 3);
	expect_why("command line tag is not terminated");
	begin();
	tag(3, entry, 4);
	expect_why("module tag is too short");
	begin();
	module_tag(2, 1, "x");
	expect_why("ends before it starts");
	begin();
	tag(3, "12345678abc", 11);
	expect_why("module string is not terminated");
	begin();
	tag(4, &none, 4);
	expect_why("basic memory tag");
	begin();
	tag(6, entry, 8 + 20);
	expect_why("entry size");
	begin();
	entry[0] = 24;
	tag(6, entry, 8 + 23);
	expect_why("inside an entry");
	begin();
	tag(14, entry, 19);
	expect_why("ACPI tag");
	begin();
	mmap_tag(two_ranges, 0);
	expect_why("no usable RAM");
	begin();
	used += 8; /* a tag of length 0 */
	expect_why("shorter than its header");
}

static void test_too_much_is_told(void)
{
	static char text[BOOT_CMDLINE_MAX + 1];
	static u64 many[400][3];

	memset(text, 'x', BOOT_CMDLINE_MAX);
	begin();
	tag(1, text, sizeof(text));
	expect_why("longer than 2047");
	begin();
	tag(1, text + 1, BOOT_CMDLINE_MAX);
	mmap_tag(two_ranges, 2);
	expect_ok();
	begin();
	for (u32 i = 0; i < 17; i++)
		module_tag(i, i + 1, "m");
	expect_why("more than 16 modules");
	for (u32 i = 0; i < 400; i++) {
		many[i][0] = i * 0x1000ull;
		many[i][1] = 0x1000;
		many[i][2] = E820_RAM;
	}
	begin();
	mmap_tag((const u64(*)[3])many, 400);
	expect_ok();
	EXPECT_EQ(1, bi.memory.count);
	for (u32 i = 0; i < 400; i++)
		many[i][2] = i % 2 + 1;
	begin();
	mmap_tag((const u64(*)[3])many, 400);
	expect_why("more than 128 entries");
}

/* As GRUB lays the tag out: 32 bytes with the header, then three pairs of position and size. */
static void test_tags_for_guests_are_kept(void)
{
	u8 data[24];

	memset(data, 0x33, sizeof(data));
	begin();
	mmap_tag(two_ranges, 2);
	tag(5, data, 12);
	tag(10, data, 20);
	expect_ok();
	EXPECT_EQ(5, bi.passed.tag[0].type);
	EXPECT_EQ(12, bi.passed.tag[0].len);
	EXPECT_MEMEQ(data, bi.passed.tag[0].data, 12);
	EXPECT_EQ(10, bi.passed.tag[1].type);
	EXPECT_MEMEQ(data, bi.passed.tag[1].data, 20);
	begin();
	mmap_tag(two_ranges, 2);
	tag(5, data, 13);
	tag(10, data, 0);
	expect_ok();
	EXPECT_EQ(0, bi.passed.tag[0].type);
	EXPECT_EQ(0, bi.passed.tag[1].type);
}

TEST_MAIN(TEST(test_typical_information), TEST(test_every_truncation_is_refused),
	  TEST(test_random_damage_is_survived), TEST(test_malformed_tags_are_named),
	  TEST(test_too_much_is_told), TEST(test_tags_for_guests_are_kept))
