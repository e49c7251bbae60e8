/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical access: only guest RAM, all or nothing, whatever the address and length. */
#include "tests/host/harness.h"

#include "core/mem/gpa.h"
#include "tests/host/fakes/paged.h"

#define REGION_BASE 0xe0000u
#define REGION_LEN  0x10000u

/* RAM, EBDA, more RAM, ACPI tables, the region, the BIOS: one of each kind in one MiB. */
static void setup(void)
{
	static const struct e820_map map = {
		.count = 6,
		.e = { { 0, 0x9f000, E820_RAM },
		       { 0x9f000, 0x1000, E820_RESERVED },
		       { 0xa0000, 0x20000, E820_RAM },
		       { 0xc0000, 0x10000, E820_ACPI },
		       { REGION_BASE, REGION_LEN, E820_RESERVED },
		       { 0xf0000, 0x10000, E820_RESERVED } },
	};

	paged_reset(EMUL_64);
	the_partition.memory = map;
	the_partition.region_base = hpa(REGION_BASE);
	the_partition.region_len = REGION_LEN;
	for (u32 i = 0; i < PAGED_RAM_BYTES; i++)
		paged_ram[i] = (u8)(i * 7 + (i >> 8));
}

/* The slow truth: every byte of the range in an entry of @type. */
static bool model_is_type(u64 base, u64 len, u32 type)
{
	const struct e820_map *m = &the_partition.memory;

	for (u32 i = 0; i < m->count; i++) {
		const struct e820_entry *e = &m->e[i];

		if (e->type == type && base >= e->base && base - e->base <= e->len &&
		    len <= e->len - (base - e->base) && base - e->base < e->len)
			return true;
	}
	return false;
}

static u64 random_address(void)
{
	u64 r = test_rng();

	switch (r % 4) {
	case 0:
		return (r >> 8) % PAGED_RAM_BYTES;
	case 1: /* around the edges */
		return the_partition.memory.e[(r >> 8) % 6].base + (r >> 16) % 16 - 8;
	case 2:
		return ~0ull - (r >> 8) % 32;
	default:
		return test_rng();
	}
}

static void test_gpa_is_ram_agrees_with_the_map(void)
{
	setup();
	for (u32 i = 0; i < 100000; i++) {
		u64 base = random_address();
		u64 len = (test_rng() & 1) ? test_rng() % 64 + 1 : test_rng();

		EXPECT_EQ(model_is_type(base, len, E820_RAM),
			  gpa_is_ram(&the_partition, gpa(base), len));
	}
}

static void test_gpa_read_and_write_are_all_or_nothing(void)
{
	setup();
	for (u32 i = 0; i < 20000; i++) {
		u64 base = random_address();
		u32 len = (u32)(test_rng() % 64 + 1);
		bool ram = model_is_type(base, len, E820_RAM);
		u8 buf[64], old[64];

		memset(buf, 0x99, sizeof(buf));
		memcpy(old, buf, sizeof(old));
		EXPECT_EQ(ram ? ERR_NONE : ERR_FAULT,
			  gpa_read(&the_partition, gpa(base), buf, len));
		if (ram)
			EXPECT_MEMEQ(paged_ram + base, buf, len);
		else
			EXPECT_MEMEQ(old, buf, sizeof(buf));
		EXPECT_EQ(ram ? ERR_NONE : ERR_FAULT,
			  gpa_write(&the_partition, gpa(base), old, len));
		if (ram)
			EXPECT_MEMEQ(paged_ram + base, old, len);
	}
}

/* Fetches and page walks also see ACPI memory and the BIOS; our region reads all-ones. */
static void test_gpa_read_any_sees_what_the_cpu_sees(void)
{
	static const u8 ones[16] = { [0 ... 15] = 0xff };
	const u8 *ram;
	u64 out[2];
	u8 buf[16];

	setup();
	EXPECT_EQ(ERR_NONE, gpa_read_any(&the_partition, gpa(0xc0010), buf, 16));
	EXPECT_MEMEQ(paged_ram + 0xc0010, buf, 16);
	EXPECT_EQ(ERR_NONE, gpa_read_any(&the_partition, gpa(0xf0010), buf, 16));
	EXPECT_MEMEQ(paged_ram + 0xf0010, buf, 16);
	EXPECT_EQ(ERR_NONE, gpa_read_any(&the_partition, gpa(REGION_BASE), buf, 16));
	EXPECT_MEMEQ(ones, buf, 16);
	EXPECT_EQ(ERR_NONE,
		  gpa_read_any(&the_partition, gpa(REGION_BASE + REGION_LEN - 16), buf, 16));
	EXPECT_MEMEQ(ones, buf, 16);
	/* Across the end of the region: neither. */
	EXPECT_EQ(ERR_FAULT,
		  gpa_read_any(&the_partition, gpa(REGION_BASE + REGION_LEN - 8), buf, 16));
	EXPECT_EQ(ERR_FAULT, gpa_read_any(&the_partition, gpa(0xfee00000), buf, 4));

	EXPECT_EQ(ERR_NONE, gpa_fetch16(&the_partition, gpa(0x2003), out, &ram));
	EXPECT_TRUE(ram == paged_ram + 0x2003);
	EXPECT_MEMEQ(paged_ram + 0x2003, out, 16);
	EXPECT_EQ(ERR_NONE, gpa_fetch16(&the_partition, gpa(REGION_BASE), out, &ram));
	EXPECT_NULL(ram); /* nothing there may be cached */
}

static void test_gpa_swap8_changes_what_is_still_there(void)
{
	setup();
	paged_ram[0x1001] = 0x89;
	EXPECT_EQ(ERR_NONE, gpa_swap8(&the_partition, gpa(0x1001), 0x89, 0x8b));
	EXPECT_EQ(0x8b, paged_ram[0x1001]);
	EXPECT_EQ(ERR_BUSY, gpa_swap8(&the_partition, gpa(0x1001), 0x89, 0x8b));
	EXPECT_EQ(0x8b, paged_ram[0x1001]);
	EXPECT_EQ(ERR_FAULT, gpa_swap8(&the_partition, gpa(0xfee00000), 0xff, 0));
}

/* The guest's kernel runs EFI runtime services: what they access is decoded like its own code. */
static void test_gpa_read_any_sees_efi_runtime_services(void)
{
	u8 buf[16];

	setup();
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0xc0010), buf, 16));
	the_partition.memory.e[3].type = E820_EFI_RUNTIME;
	EXPECT_EQ(ERR_NONE, gpa_read_any(&the_partition, gpa(0xc0010), buf, 16));
	EXPECT_MEMEQ(paged_ram + 0xc0010, buf, 16);
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0xc0010), buf, 16));
	the_partition.memory.e[3].type = E820_EFI_MMIO;
	EXPECT_EQ(ERR_FAULT, gpa_read_any(&the_partition, gpa(0xc0010), buf, 16));
}

TEST_MAIN(TEST(test_gpa_is_ram_agrees_with_the_map),
	  TEST(test_gpa_read_and_write_are_all_or_nothing),
	  TEST(test_gpa_read_any_sees_what_the_cpu_sees),
	  TEST(test_gpa_read_any_sees_efi_runtime_services),
	  TEST(test_gpa_swap8_changes_what_is_still_there))
