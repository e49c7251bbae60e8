/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Parsers of foreign bytes end in bounded time, whatever the bytes say: loops, counts of 2^32,
 * tables that lie about their length. Each test hands over the most work that it can describe.
 */
#include "tests/host/harness.h"

#include <time.h>

#include "boot/acpi/tables.h"
#include "boot/load/elf.h"
#include "boot/load/plan.h"
#include "core/lib/bits.h"

#define BIG     MIB(16)
#define LIMIT_S 5.0 /* with sanitizers, on a busy machine; the bounded work takes a tenth */

static u8 *big; /* BIG bytes */
static const char *why;

static void setup(void)
{
	if (big == NULL)
		big = malloc(BIG);
	EXPECT_NOT_NULL(big);
	memset(big, 0, BIG);
	why = NULL;
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#define EXPECT_SOON(...)                                                 \
	do {                                                             \
		double start_ = cpu_seconds(), took_;                    \
                                                                         \
		__VA_ARGS__;                                             \
		took_ = cpu_seconds() - start_;                          \
		if (took_ > LIMIT_S)                                     \
			fail_msg("%s took %.1f s", #__VA_ARGS__, took_); \
	} while (0)

static void put(u8 *p, u64 val, u32 size)
{
	memcpy(p, &val, size);
}

/* --- ACPI --- */

static u64 mapped;

static const void *map(void *ctx, u64 pa, u64 len)
{
	mapped += len;
	return pa < BIG && len <= BIG - pa ? big + pa : NULL;
}

static void table(u64 at, const char *sig, u32 len)
{
	memcpy(big + at, sig, 4);
	put(big + at + ACPI_LENGTH_OFF, len, 4);
	big[at + ACPI_CHECKSUM_OFF] -= acpi_checksum(big + at, len);
}

static err_t parse(u64 xsdt)
{
	static struct acpi_info info;
	u8 rsdp[36] = "RSD PTR ";

	rsdp[15] = 2;
	put(rsdp + 24, xsdt, 8);
	rsdp[8] -= acpi_checksum(rsdp, 20);
	rsdp[32] -= acpi_checksum(rsdp, 36);
	mapped = 0;
	return acpi_parse(rsdp, sizeof(rsdp), map, NULL, &info, &why);
}

/* Every entry of the root table is the root table. */
static void test_acpi_root_points_to_itself(void)
{
	u32 len = (u32)BIG - 0x100;

	setup();
	for (u32 at = 0x100 + 36; at + 8 <= BIG; at += 8)
		put(big + at, 0x100, 8);
	table(0x100, "XSDT", len);
	EXPECT_SOON(EXPECT_EQ(ERR_NOENT, parse(0x100)));
}

/* As many entries as fit, all the same definition block without a sleep package. */
static void test_acpi_many_large_tables(void)
{
	u32 ssdt = 0x20000;

	setup();
	memset(big + ssdt, '_', BIG - ssdt);
	for (u32 at = 36; at + 8 <= 0x10000; at += 8)
		put(big + at, ssdt, 8);
	table(ssdt, "SSDT", (u32)BIG - ssdt);
	table(0, "XSDT", 0); /* address 0 is no table */
	memmove(big + 0x10000, big, 0x10000);
	table(0x10000, "XSDT", 0x10000);
	EXPECT_SOON(EXPECT_EQ(ERR_NOENT, parse(0x10000)));
}

/* A length of 2^32 - 1, and one that ends behind what can be mapped. */
static void test_acpi_impossible_lengths(void)
{
	setup();
	table(0x100, "XSDT", 64);
	put(big + 0x104, 0xffffffff, 4);
	EXPECT_SOON(EXPECT_EQ(ERR_FAULT, parse(0x100)));
	put(big + 0x104, BIG, 4);
	EXPECT_SOON(EXPECT_EQ(ERR_FAULT, parse(0x100)));
}

static void madt_header(void)
{
	setup();
	memcpy(big, "APIC", 4);
	put(big + ACPI_LENGTH_OFF, BIG, 4);
}

static void test_madt_of_two_million_cpus(void)
{
	static struct acpi_info info;
	static u32 ids[256];
	const struct madt_keep keep = { ids, ARRAY_SIZE(ids) };

	madt_header();
	for (u32 at = 44, id = 0; at + 8 <= BIG; at += 8, id++) {
		big[at + 1] = 8;
		big[at + 3] = (u8)(id % 255);
		big[at + 4] = 1;
	}
	memset(&info, 0, sizeof(info));
	EXPECT_SOON(madt_parse(big, (u32)BIG, &info));
	EXPECT_EQ(255, info.cpu_count);
	for (u32 i = 0; i < ARRAY_SIZE(ids); i++)
		ids[i] = 1000 + i;
	EXPECT_SOON(madt_disable_others(big, (u32)BIG, &keep));
	EXPECT_EQ(0, madt_count_others(big, (u32)BIG, &keep));
}

/* Entries of length 0 and 1 lead nowhere. */
static void test_madt_entry_without_length(void)
{
	static struct acpi_info info;

	for (u8 len = 0; len < 2; len++) {
		madt_header();
		big[45] = len;
		memset(&info, 0, sizeof(info));
		EXPECT_SOON(madt_parse(big, (u32)BIG, &info));
		EXPECT_EQ(0, info.cpu_count);
	}
}

/* --- Multiboot2 --- */

static struct boot_info bi;

static void mb2(u32 total)
{
	put(big, total, 8);
}

/* @count pages: 120 islands, then one behind the other, each of which joins the one before. */
static err_t memory_map_of(u32 count)
{
	u32 size = 24;

	setup();
	mb2((u32)BIG);
	put(big + 8, 6, 4);
	put(big + 12, 16 + count * size, 4);
	put(big + 16, size, 4);
	for (u32 i = 0; i < count; i++) {
		u8 *e = big + 24 + (size_t)i * size;

		put(e, i < 120 ? MIB(2) * (i + 1) : GIB(1) + 4096ull * i, 8);
		put(e + 8, 4096, 8);
		put(e + 16, 1, 4);
	}
	put(big + 24 + (size_t)count * size + 4, 8, 4); /* end tag */
	return mb2_parse(big, BIG, &bi, &why);
}

/* Every entry of such a map costs a pass over the islands: their number is limited. */
static void test_mb2_huge_memory_map(void)
{
	EXPECT_SOON(EXPECT_EQ(ERR_NONE, memory_map_of(4096)));
	EXPECT_EQ(121, bi.memory.count);
	EXPECT_SOON(EXPECT_EQ(ERR_NOMEM, memory_map_of(4097)));
	EXPECT_SOON(EXPECT_EQ(ERR_NOMEM, memory_map_of((u32)(BIG - 64) / 24)));
	EXPECT_CONTAINS(why, "4096");
}

static void test_mb2_two_million_tags(void)
{
	setup();
	mb2((u32)BIG);
	for (u32 at = 8; at < BIG; at += 8) {
		put(big + at, 99, 4);
		put(big + at + 4, 8, 4);
	}
	EXPECT_SOON(EXPECT_EQ(ERR_INVAL, mb2_parse(big, BIG, &bi, &why)));
	put(big + 12, 0, 4); /* a tag without length */
	EXPECT_SOON(EXPECT_EQ(ERR_INVAL, mb2_parse(big, BIG, &bi, &why)));
	put(big, ~0ull, 8);
	EXPECT_SOON(EXPECT_EQ(ERR_INVAL, mb2_parse(big, BIG, &bi, &why)));
}

/* --- Images --- */

static struct e820_map ram;
static struct load_plan plan;

static err_t load(u64 len)
{
	struct guest_image kernel = {
		.data = big, .start = { MIB(64) }, .len = len, .cmdline = "x"
	};
	struct load_input in = { .kernel = &kernel, .memory = &ram };
	err_t err;

	ram.count = 0;
	EXPECT_EQ(ERR_NONE, e820_add(&ram, MIB(1), GIB(3), E820_RAM));
	plan.why[0] = '\0';
	err = load_plan_guest(&in, &plan);
	if (err != ERR_NONE)
		EXPECT_NE('\0', plan.why[0]);
	return err;
}

static void multiboot_header(void)
{
	setup();
	put(big + 0x80, 0x1badb002, 4);
	put(big + 0x88, -0x1badb002u, 4);
}

static void test_elf_impossible_counts(void)
{
	for (u32 entsize = 0; entsize <= 0xffff; entsize += 0xffff) {
		multiboot_header();
		memcpy(big, "\177ELF\1\1\1", 7);
		put(big + 16, 2, 2);
		put(big + 18, 3, 2);
		put(big + 28, 0x100, 4);
		put(big + 42, entsize, 2);
		put(big + 44, 0xffff, 2);
		EXPECT_SOON(EXPECT_NE(ERR_NONE, load(BIG)));
		put(big + 44, 64, 2);
		EXPECT_SOON(EXPECT_NE(ERR_NONE, load(BIG)));
	}
}

/* Every segment's source is another one's destination: all of them must be staged or moved. */
static void test_elf_segments_over_each_other(void)
{
	multiboot_header();
	memcpy(big, "\177ELF\1\1\1", 7);
	put(big + 16, 2, 2);
	put(big + 18, 3, 2);
	put(big + 24, MIB(64), 4); /* entry */
	put(big + 28, 0x100, 4);
	put(big + 42, 32, 2);
	put(big + 44, 60, 2);
	for (u32 i = 0; i < 60; i++) {
		u8 *p = big + 0x100 + i * 32;
		u64 to = MIB(64) + (u64)(i * 7 % 60) * KIB(256), from = (u64)i * KIB(256);

		put(p, 1, 4);
		put(p + 4, from, 4);
		put(p + 8, to, 4);
		put(p + 12, to, 4);
		put(p + 16, KIB(256), 4);
		put(p + 20, KIB(256), 4);
	}
	EXPECT_SOON((void)!load(BIG));
}

static void test_multiboot_magic_everywhere(void)
{
	setup();
	for (u32 at = 0; at < BIG; at += 4)
		put(big + at, 0x1badb002, 4);
	EXPECT_SOON(EXPECT_NE(ERR_NONE, load(BIG)));
}

/* Sizes at their largest. */
static void test_bzimage_impossible_sizes(void)
{
	setup();
	memset(big, 0xff, 0x1000);
	put(big + 0x1fe, 0xaa55, 2);
	put(big + 0x202, 0x53726448, 4);
	put(big + 0x206, 0x20f, 2);
	for (u32 sects = 0; sects < 256; sects += 51) {
		big[0x1f1] = (u8)sects;
		EXPECT_SOON(EXPECT_NE(ERR_NONE, load(BIG)));
	}
}

TEST_MAIN(TEST(test_acpi_root_points_to_itself), TEST(test_acpi_many_large_tables),
	  TEST(test_acpi_impossible_lengths), TEST(test_madt_of_two_million_cpus),
	  TEST(test_madt_entry_without_length), TEST(test_mb2_huge_memory_map),
	  TEST(test_mb2_two_million_tags), TEST(test_elf_impossible_counts),
	  TEST(test_elf_segments_over_each_other), TEST(test_multiboot_magic_everywhere),
	  TEST(test_bzimage_impossible_sizes))
