/* SPDX-License-Identifier: BSD-2-Clause */
/* core/load/mb2.c: well-formed information comes through, malformed is named, nothing is overread.
 */
#include "tests/host/harness.h"

#include "core/load/boot_info.h"

static u8 buf[65536];
static u32 used;
static struct boot_info bi;
static const char *why;

static void begin(void)
{
	memset(buf, 0, sizeof(buf));
	used = 8;
}

static void tag(u32 type, const void *data, u32 len)
{
	u32 head[2] = { type, len + 8 };

	memcpy(buf + used, head, 8);
	if (len != 0)
		memcpy(buf + used + 8, data, len);
	used += (len + 8 + 7) & ~7u;
}

static void mmap_tag(const u64 (*entries)[3], u32 count)
{
	static u8 data[8 + 400 * 24];
	u32 head[2] = { 24, 0 };

	memcpy(data, head, 8);
	for (u32 i = 0; i < count; i++) {
		memcpy(data + 8 + i * 24, entries[i], 16);
		memcpy(data + 8 + i * 24 + 16, &entries[i][2], 8);
	}
	tag(6, data, 8 + count * 24);
}

static void module_tag(u32 start, u32 end, const char *string)
{
	u8 data[64];
	u32 head[2] = { start, end };

	memcpy(data, head, 8);
	memcpy(data + 8, string, strlen(string) + 1);
	tag(3, data, 8 + (u32)strlen(string) + 1);
}

static const u64 two_ranges[][3] = { { 0, 0x9f000, E820_RAM }, { 0x100000, 0x1ff00000, E820_RAM } };

/* The bytes are parsed from an exact-size heap copy, so that ASan sees every overread. */
static err_t parse_raw(u32 len)
{
	u8 *copy = malloc(len == 0 ? 1 : len);
	err_t err;

	memcpy(copy, buf, len);
	why = NULL;
	err = mb2_parse(copy, len, &bi, &why);
	free(copy);
	EXPECT_TRUE((err == ERR_NONE) == (why == NULL));
	return err;
}

static err_t parse(void)
{
	tag(0, NULL, 0);
	memcpy(buf, &used, 4);
	return parse_raw(used);
}

static void expect_ok(void)
{
	err_t err = parse();

	EXPECT_EQ(ERR_NONE, err);
}

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

static void test_random_damage_is_survived(void)
{
	for (u32 i = 0; i < 20000; i++) {
		typical();
		tag(0, NULL, 0);
		memcpy(buf, &used, 4);
		for (u32 k = 0; k < 4; k++)
			buf[test_rng() % used] = (u8)test_rng();
		parse_raw(used);
		EXPECT_LE(bi.module_count, BOOT_MODULES_MAX);
		EXPECT_TRUE(memchr(bi.cmdline, 0, sizeof(bi.cmdline)) != NULL);
		EXPECT_TRUE(memchr(bi.loader, 0, sizeof(bi.loader)) != NULL);
	}
}

static void test_basic_memory_is_the_fallback(void)
{
	u32 mem[2] = { 639, 31744 };

	begin();
	tag(4, mem, 8);
	expect_ok();
	EXPECT_EQ(2, bi.memory.count);
	EXPECT_EQ(639 << 10, bi.memory.e[0].len);
	EXPECT_EQ(0x100000, bi.memory.e[1].base);
	begin();
	tag(4, mem, 8);
	mmap_tag(two_ranges, 2);
	expect_ok();
	EXPECT_EQ(0x9f000, bi.memory.e[0].len);
}

static void expect_why(const char *text)
{
	err_t err = parse();

	EXPECT_NE(ERR_NONE, err);
	EXPECT_CONTAINS(why, text);
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
static void framebuffer_tag(u8 kind, u32 len)
{
	u8 data[30] = { 0 };
	u64 pa = 0x40c0000000;
	u32 geometry[3] = { 4100, 1024, 768 };

	memcpy(data, &pa, 8);
	memcpy(data + 8, geometry, 12);
	data[20] = 32;
	data[21] = kind;
	memcpy(data + 24, (u8[]){ 16, 8, 8, 7, 0, 6 }, 6);
	tag(8, data, len - 8);
}

static void test_framebuffer_comes_through(void)
{
	begin();
	mmap_tag(two_ranges, 2);
	framebuffer_tag(1, 38);
	expect_ok();
	EXPECT_EQ(FRAMEBUFFER_PIXEL, bi.framebuffer.kind);
	EXPECT_EQ(0x40c0000000, bi.framebuffer.pa);
	EXPECT_EQ(4100, bi.framebuffer.pitch);
	EXPECT_EQ(1024, bi.framebuffer.width);
	EXPECT_EQ(768, bi.framebuffer.height);
	EXPECT_EQ(32, bi.framebuffer.bpp);
	EXPECT_EQ(16, bi.framebuffer.red.pos);
	EXPECT_EQ(8, bi.framebuffer.red.size);
	EXPECT_EQ(8, bi.framebuffer.green.pos);
	EXPECT_EQ(7, bi.framebuffer.green.size);
	EXPECT_EQ(0, bi.framebuffer.blue.pos);
	EXPECT_EQ(6, bi.framebuffer.blue.size);
}

static void test_framebuffer_kinds(void)
{
	static const struct {
		u8 kind;
		enum framebuffer_kind want;
	} row[] = { { 0, FRAMEBUFFER_INDEXED }, { 2, FRAMEBUFFER_TEXT }, { 3, FRAMEBUFFER_NONE } };

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		mmap_tag(two_ranges, 2);
		framebuffer_tag(row[i].kind, 32);
		expect_ok();
		EXPECT_EQ(row[i].want, bi.framebuffer.kind);
	}
	begin();
	mmap_tag(two_ranges, 2);
	expect_ok();
	EXPECT_EQ(FRAMEBUFFER_NONE, bi.framebuffer.kind);
}

static void test_framebuffer_tag_too_short(void)
{
	static const struct {
		u8 kind;
		u32 len;
	} row[] = { { 2, 30 }, { 1, 32 }, { 1, 37 } };

	for (u32 i = 0; i < ARRAY_SIZE(row); i++) {
		begin();
		mmap_tag(two_ranges, 2);
		framebuffer_tag(row[i].kind, row[i].len);
		expect_why("framebuffer tag is too short");
	}
}

TEST_MAIN(TEST(test_typical_information), TEST(test_every_truncation_is_refused),
	  TEST(test_random_damage_is_survived), TEST(test_basic_memory_is_the_fallback),
	  TEST(test_malformed_tags_are_named), TEST(test_too_much_is_told),
	  TEST(test_framebuffer_comes_through), TEST(test_framebuffer_kinds),
	  TEST(test_framebuffer_tag_too_short))
