/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest-physical access: only guest RAM, all or nothing, whatever the address and length. */
#include "tests/host/harness.h"

#include "arch/x86/defs/ept.h"
#include "core/mem/gpa.h"
#include "core/mem/overlay.h"
#include "core/mem/page_alloc.h"
#include "core/mem/page_class.h"
#include "tests/host/fakes/far.h"
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

/* Memory that a guest may register. */
static bool is_ram(u64 at, u64 len)
{
	struct gpa_pin pin;

	if (gpa_pin(&the_partition, gpa(at), len, GPA_NAMED, &pin) != ERR_NONE)
		return false;
	gpa_unpin(&the_partition, &pin);
	return true;
}

static err_t write_as_cpu(u64 at, const void *buf, u64 len)
{
	struct gpa_pin pin;
	err_t err = gpa_pin(&the_partition, gpa(at), len, GPA_WRITE, &pin);

	if (err != ERR_NONE)
		return err;
	memcpy(pin.mem, buf, len);
	gpa_unpin(&the_partition, &pin);
	return ERR_NONE;
}

static void test_pins_agree_with_the_map(void)
{
	setup();
	for (u32 i = 0; i < 100000; i++) {
		u64 base = random_address();
		u64 len = (test_rng() & 1) ? test_rng() % 64 + 1 : test_rng();

		EXPECT_EQ(model_is_type(base, len, E820_RAM), is_ram(base, len));
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

/* What the CPU would see is the overlay; what the guest names us must be RAM that it sees. */
static void test_overlays_hide_what_lies_beneath(void)
{
	static u8 beneath[4096];
	u8 buf[16], *page;
	struct overlay o = { .perms = EPT_R, .kind = PAGE_OVERLAY };
	const u8 *ram;
	u64 out[2];

	setup();
	page = page_alloc();
	memset(page, 0x5a, 4096);
	memcpy(beneath, paged_ram + 0x3000, sizeof(beneath));
	o.page = hw_virt_to_phys(page);
	EXPECT_EQ(ERR_NONE, overlay_map(&the_partition, &o, 0x3000));
	EXPECT_EQ(ERR_NONE, gpa_read_any(&the_partition, gpa(0x3ff0), buf, 16));
	EXPECT_MEMEQ(page, buf, 16);
	EXPECT_EQ(ERR_NONE, gpa_fetch16(&the_partition, gpa(0x3008), out, &ram));
	EXPECT_NULL(ram);
	EXPECT_MEMEQ(page, out, 16);
	EXPECT_EQ(ERR_FAULT, write_as_cpu(0x3000, buf, 16));
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0x3000), buf, 16));
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0x2ff8), buf, 16)); /* half of it */
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0x3ff8), buf, 16));
	EXPECT_FALSE(is_ram(0x1000, 0x8000));
	EXPECT_TRUE(is_ram(0x1000, 0x2000));

	overlay_unmap(&the_partition, &o);
	o.perms = EPT_R | EPT_W;
	EXPECT_EQ(ERR_NONE, overlay_map(&the_partition, &o, 0x3000));
	EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(0x2000), buf, 16)); /* leaves no hint */
	EXPECT_EQ(ERR_NONE, write_as_cpu(0x3010, "0123456789abcdef", 16));
	EXPECT_MEMEQ("0123456789abcdef", page + 0x10, 16);
	EXPECT_MEMEQ(beneath, paged_ram + 0x3000, sizeof(beneath));
	overlay_unmap(&the_partition, &o);
	EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(0x3ff8), buf, 16));
	EXPECT_MEMEQ(paged_ram + 0x3ff8, buf, 16);
	EXPECT_EQ(0, the_partition.ram_holes);
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

/* "Not now" leaves everything as it is; whoever asks often enough gets the page, and gives it back.
 */
static void test_far_memory_comes_when_asked_for(void)
{
	static u8 before[16] = { [0 ... 15] = 0x77 };
	struct gpa_pin pin;
	const u8 *ram;
	u64 out[2];
	u8 buf[16];

	setup();
	fake_far_add(&the_partition, 0x4000, 0x6000);
	EXPECT_TRUE(page_is(&the_partition, 0x4000, PAGE_FAR));
	EXPECT_TRUE(page_is(&the_partition, 0x3fff, PAGE_RAM));
	EXPECT_TRUE(page_is(&the_partition, 0x6000, PAGE_RAM));
	memcpy(buf, before, sizeof(buf));
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(ERR_AGAIN, gpa_read(&the_partition, gpa(0x5010), buf, 16));
		EXPECT_EQ(0x5000, fake_far.page);
		EXPECT_MEMEQ(before, buf, 16);
	}
	EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(0x5010), buf, 16));
	EXPECT_MEMEQ(paged_ram + 0x5010, buf, 16);
	EXPECT_EQ(3, fake_far.asked);
	EXPECT_EQ(0, fake_far.pinned);

	fake_far_again();
	memcpy(buf, paged_ram + 0x4000, sizeof(buf));
	for (u32 i = 0; i < 2; i++) {
		EXPECT_EQ(ERR_AGAIN, gpa_write(&the_partition, gpa(0x4000), before, 16));
		EXPECT_MEMEQ(buf, paged_ram + 0x4000, 16);
	}
	EXPECT_EQ(ERR_NONE, gpa_write(&the_partition, gpa(0x4000), before, 16));
	EXPECT_MEMEQ(before, paged_ram + 0x4000, 16);

	fake_far_again();
	EXPECT_EQ(ERR_AGAIN, gpa_fetch16(&the_partition, gpa(0x4100), out, &ram));
	EXPECT_EQ(ERR_AGAIN, gpa_swap8(&the_partition, gpa(0x4100), paged_ram[0x4100], 1));
	EXPECT_EQ(ERR_NONE, gpa_fetch16(&the_partition, gpa(0x4100), out, &ram));
	EXPECT_NULL(ram); /* nothing of it may be cached */
	EXPECT_MEMEQ(paged_ram + 0x4100, out, 16);
	EXPECT_EQ(ERR_NONE, gpa_swap8(&the_partition, gpa(0x4100), paged_ram[0x4100], 1));
	EXPECT_EQ(0, fake_far.pinned);

	EXPECT_EQ(ERR_NONE, gpa_pin(&the_partition, gpa(0x4123), 8, GPA_NAMED, &pin));
	EXPECT_TRUE(pin.mem == paged_ram + 0x4123);
	EXPECT_EQ(1, fake_far.pinned);
	gpa_unpin(&the_partition, &pin);
	EXPECT_EQ(0, fake_far.pinned);
}

static void test_far_memory_across_pages(void)
{
	static const u64 places[] = { 0x3ff8, 0x4ff8, 0x5ff8 };
	u8 buf[16], out[16];

	for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
		u8 *at = paged_ram + places[i];
		u8 before[16];

		setup();
		fake_far_add(&the_partition, 0x4000, 0x6000);
		memcpy(before, at, sizeof(before));
		memset(buf, 0x11 * (int)(i + 1), sizeof(buf));
		for (u32 k = 0; k < 2; k++) {
			EXPECT_EQ(ERR_AGAIN, gpa_write(&the_partition, gpa(places[i]), buf, 16));
			EXPECT_MEMEQ(before, at, 16);
			EXPECT_EQ(0, fake_far.pinned);
		}
		EXPECT_EQ(ERR_NONE, gpa_write(&the_partition, gpa(places[i]), buf, 16));
		EXPECT_MEMEQ(buf, at, 16);
		EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(places[i]), out, 16));
		EXPECT_MEMEQ(buf, out, 16);
		EXPECT_EQ(0, fake_far.pinned);
	}
}

static void test_far_memory_that_never_comes(void)
{
	u32 asked;
	u8 buf[16];

	setup();
	fake_far_add(&the_partition, 0x4000, 0x6000);
	fake_far.never = true;
	EXPECT_EQ(ERR_FAULT, gpa_write(&the_partition, gpa(0x3ff8), buf, 16));
	EXPECT_EQ(ERR_FAULT, gpa_write(&the_partition, gpa(0x5ff8), buf, 16));
	EXPECT_EQ(ERR_FAULT, gpa_read(&the_partition, gpa(0x4000), buf, 16));
	EXPECT_EQ(ERR_FAULT, write_as_cpu(0x4000, buf, 16));
	asked = fake_far.asked;
	EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(0x3ff0), buf, 16));
	EXPECT_EQ(ERR_NONE, gpa_read(&the_partition, gpa(0x6000), buf, 16));
	EXPECT_EQ(asked, fake_far.asked);
}

TEST_MAIN(TEST(test_pins_agree_with_the_map), TEST(test_gpa_read_and_write_are_all_or_nothing),
	  TEST(test_gpa_read_any_sees_what_the_cpu_sees),
	  TEST(test_gpa_read_any_sees_efi_runtime_services),
	  TEST(test_gpa_swap8_changes_what_is_still_there),
	  TEST(test_overlays_hide_what_lies_beneath), TEST(test_far_memory_comes_when_asked_for),
	  TEST(test_far_memory_across_pages), TEST(test_far_memory_that_never_comes))
