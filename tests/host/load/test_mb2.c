/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/mb2.c: well-formed information comes through, malformed is named, nothing is overread.
 */
#include "tests/host/harness.h"

#include "boot/load/boot_info.h"

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

/* An error is shown on the screen, also when it comes before the tag of the screen. */
static void test_framebuffer_is_known_after_an_error(void)
{
	begin();
	for (u32 i = 0; i < 17; i++)
		module_tag(i, i + 1, "m");
	framebuffer_tag(1, 38);
	expect_why("more than 16 modules");
	EXPECT_EQ(FRAMEBUFFER_PIXEL, bi.framebuffer.kind);
	EXPECT_EQ(4100, bi.framebuffer.pitch);
}

/* Our region splits an entry: two places are kept. */
static void test_map_keeps_room_for_the_region(void)
{
	static u64 many[128][3];

	for (u32 count = 126; count <= 128; count++) {
		for (u32 i = 0; i < count; i++) {
			many[i][0] = i * 0x1000ull;
			many[i][1] = 0x1000;
			many[i][2] = i % 2 + 1;
		}
		begin();
		mmap_tag((const u64(*)[3])many, count);
		if (count <= E820_MAX - 2)
			expect_ok();
		else
			expect_why("more than 126 ranges");
	}
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

static void test_nasty_memory_maps(void)
{
	static const u64 nasty[][3] = {
		{ 0x100000, 0x10000000, E820_RAM }, { 0x200000, 0x1000, 0 }, /* type 0: reserved */
		{ 0x300000, 0, E820_RESERVED },     { 0x0, 0x9f000, E820_RAM },
		{ 0x400000, 0x1000, 0x80000005 },   { 0x80000, 0x90000, E820_RESERVED },
	};
	static const u64 high[][3] = { { 0x0, 0x1000, E820_RESERVED },
				       { 0x100000000, 0x40000000, E820_RAM } };

	begin();
	mmap_tag(nasty, 6);
	expect_ok();
	EXPECT_EQ(0x80000 + 0xff00000 + 0xf0000 - 0x2000, e820_ram_bytes(&bi.memory) + 0x0);
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x200000, 0x1000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x400000, 0x1000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x80000, 0x90000, E820_RESERVED));
	begin();
	mmap_tag(high, 2);
	expect_why("no usable RAM below 4 GiB");
}

/* Overlaps, entries of type 0 and of no length, RAM that wraps: what anybody calls no RAM is none,
 * and the hypervisor's region is found in the rest. */
static void test_map_that_contradicts_itself(void)
{
	static const u64 entries[][3] = {
		{ 0x100000, 0x1ff00000, E820_RAM },
		{ 0x1e000000, 0x100000, 0 },
		{ 0, 0xa0000, E820_RAM },
		{ 0x1f000000, 0x2000000, E820_RESERVED },
		{ 0x1f800000, 0x100000, E820_RAM },
		{ 0x5000, 0, E820_RESERVED },
		{ 0x9f000, 0x2000, 0 },
		{ ~0ull - 0xfff, 0x10000, E820_RAM },
	};
	u64 base = 0;

	begin();
	mmap_tag(entries, ARRAY_SIZE(entries));
	expect_ok();
	EXPECT_TRUE(e820_is_type(&bi.memory, 0, 0x9f000, E820_RAM));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x9f000, 0x2000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x1e000000, 0x100000, E820_RESERVED));
	EXPECT_TRUE(e820_is_type(&bi.memory, 0x1f000000, 0x2000000, E820_RESERVED));
	EXPECT_EQ(0x1f000000, e820_ram_top(&bi.memory, 4ull << 30));
	EXPECT_EQ(ERR_NONE, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 4ull << 20,
					   2ull << 20, &base));
	EXPECT_EQ(0x1ec00000, base);
	EXPECT_EQ(ERR_NONE, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 16ull << 20,
					   2ull << 20, &base));
	EXPECT_EQ(0x1d000000, base); /* below the entry of type 0 */
}

/* A machine whose RAM is all above 4 GiB parses; there is just no place for the region. */
static void test_no_usable_memory_below_4g(void)
{
	static const u64 entries[][3] = {
		{ 0, 0x9f000, E820_RAM },
		{ 0x100000, 0x7ff00000, E820_RESERVED },
		{ 0x100000000, 0x40000000, E820_RAM },
	};
	u64 base = 0;

	begin();
	mmap_tag(entries, ARRAY_SIZE(entries));
	expect_ok();
	EXPECT_EQ(ERR_NOENT, e820_find_high(&bi.memory, NULL, 1ull << 20, 4ull << 30, 2ull << 20,
					    2ull << 20, &base));
	EXPECT_EQ(0, base);
}

TEST_MAIN(TEST(test_map_that_contradicts_itself), TEST(test_no_usable_memory_below_4g),
	  TEST(test_typical_information), TEST(test_every_truncation_is_refused),
	  TEST(test_random_damage_is_survived), TEST(test_basic_memory_is_the_fallback),
	  TEST(test_malformed_tags_are_named), TEST(test_too_much_is_told),
	  TEST(test_tags_for_guests_are_kept), TEST(test_framebuffer_comes_through),
	  TEST(test_framebuffer_kinds), TEST(test_framebuffer_tag_too_short),
	  TEST(test_framebuffer_is_known_after_an_error), TEST(test_map_keeps_room_for_the_region),
	  TEST(test_efi_information_comes_through), TEST(test_efi_of_32_bits),
	  TEST(test_efi_boot_services_stop_the_boot), TEST(test_malformed_efi_tags_are_named),
	  TEST(test_efi_map_replaces_a_loader_map_too_long), TEST(test_nasty_memory_maps))
