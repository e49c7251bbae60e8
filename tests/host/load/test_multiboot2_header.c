/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/mb2header.c: where a multiboot 2 header is found, and what its tags may demand. */
#include "tests/host/load/mb2_sim.h"

#include "boot/load/multiboot2.h"

static struct boot_framebuffer screen;
static const struct boot_efi uefi = { .present = true };

static void address_tag(u32 header_addr, u32 load, u32 load_end, u32 bss_end, u32 entry)
{
	header_begin();
	mb_noise();
	TAG(2, 0, header_addr, load, load_end, bss_end);
	TAG(3, 0, entry);
	header_end(HEADER_AT);
}

static void test_address_fields_are_checked(void)
{
	address_tag(BASE - 4, BASE, 0, 0, BASE);
	expect_refused("load_addr");
	address_tag(BASE + HEADER_AT + 1, BASE, 0, 0, BASE);
	expect_refused("load_addr");
	address_tag(BASE + 0x20, BASE, BASE + 0x3001, 0, BASE);
	expect_refused("truncated");
	address_tag(BASE + 0x20, BASE, BASE + CODE, BASE + CODE - 1, BASE);
	expect_refused("bss_end_addr");
	address_tag(BASE + 0x20, BASE, BASE + CODE, BASE + BSS, BASE + BSS);
	expect_refused("entry point");
	address_tag(BASE + 0x20, BASE, BASE + CODE, 0xffffffff, BASE);
	expect_refused("not free RAM");
	header_begin();
	mb_noise();
	TAG(2, 0, BASE + 0x20, BASE, 0, 0);
	header_end(HEADER_AT);
	expect_refused("no entry address tag");
	/* -1: from the start of the file on; 0: to its end. */
	address_tag(BASE + HEADER_AT, 0xffffffff, 0, 0, BASE + TEXT);
	machine(0x200000);
	expect_load();
	EXPECT_MEMEQ(image, sim + BASE, image_len);
	EXPECT_EQ(BASE + TEXT, sim_plan.rip);
	address_tag(HEADER_AT - 1, 0xffffffff, 0, 0, BASE);
	expect_refused("load_addr");
}

static void with_tag(u32 type, u32 flags, u32 count, const u32 *words)
{
	header_begin();
	build_elf32();
	header_tag(type, flags, count, words);
	header_end(HEADER_AT);
}

/* Every piece of information that the specification has, and one more. */
static void test_information_requests(void)
{
	static const u32 refused_types[] = { 7, 13, 16, 22, 0xffffffff };

	for (u32 i = 0; i < ARRAY_SIZE(refused_types); i++) {
		u32 types[3] = { 6, refused_types[i], 1 };

		with_tag(1, 0, 3, types);
		expect_refused("header demands");
		with_tag(1, 1, 3, types);
		machine(0x200000);
		expect_load();
	}
	for (u32 type = 0; type < 22; type++) {
		if (type == 7 || type == 13 || type == 16)
			continue;
		with_tag(1, 0, 1, &type);
		machine(0x200000);
		expect_load();
	}
	with_tag(1, 0, 1, (u32[]){ 7 });
	expect_refused("VBE mode information");
	with_tag(1, 0, 1, (u32[]){ 77 });
	expect_refused("information 77");
}

static void test_unknown_and_efi_tags(void)
{
	with_tag(11, 0, 0, NULL);
	expect_refused("demands tag 11");
	with_tag(11, 1, 0, NULL);
	machine(0x200000);
	expect_load();
	for (u32 type = 7; type < 10; type++) {
		u32 entry = 0x1234;

		for (u32 flags = 0; flags < 2; flags++) {
			with_tag(type, flags, type == 7 ? 0 : 1, &entry);
			for (u32 efi = 0; efi < 2; efi++) {
				machine(0x200000);
				in.efi = efi != 0 ? &uefi : NULL;
				EXPECT_EQ(efi && flags == 0 ? ERR_NODEV : ERR_NONE, sim_load(&in));
				if (efi && flags == 0)
					EXPECT_CONTAINS(sim_plan.why, "boot services");
				else
					EXPECT_EQ(BASE + 0x10, sim_plan.rip);
			}
		}
	}
}

/* console_flags, framebuffer tag, screen: started? */
static const struct {
	u32 console, accepts_pixels;
	enum framebuffer_kind kind;
	bool ok;
} consoles[] = {
	{ 0, 0, FRAMEBUFFER_NONE, true },     { 1, 0, FRAMEBUFFER_NONE, false },
	{ 1, 0, FRAMEBUFFER_TEXT, false },    { 3, 0, FRAMEBUFFER_TEXT, true },
	{ 3, 0, FRAMEBUFFER_PIXEL, false },   { 3, 1, FRAMEBUFFER_PIXEL, true },
	{ 1, 1, FRAMEBUFFER_TEXT, false },    { 2, 0, FRAMEBUFFER_PIXEL, true },
	{ 1, 1, FRAMEBUFFER_INDEXED, false },
};

static void test_a_demanded_console(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(consoles); i++) {
		header_begin();
		TAG(4, 0, consoles[i].console);
		if (consoles[i].accepts_pixels)
			TAG(5, 0, 1024, 768, 32);
		build_elf32();
		header_end(HEADER_AT);
		machine(0x200000);
		screen = (struct boot_framebuffer){ .kind = consoles[i].kind };
		in.screen = &screen;
		EXPECT_EQ(consoles[i].ok ? ERR_NONE : ERR_NODEV, sim_load(&in));
		if (!consoles[i].ok)
			EXPECT_CONTAINS(sim_plan.why, "demands a screen");
	}
}

static void test_broken_headers(void)
{
	u32 big = 0x10000;

	with_tag(3, 0, 0, NULL);
	expect_refused("tag 3 has the wrong size 8");
	header_begin();
	build_elf32();
	TAG(3, 0, BASE);
	header_end(HEADER_AT);
	memcpy(image + HEADER_AT + 20, &big, 4);
	expect_refused("tag 3 has the wrong size 65536");
	/* The end tag cut off; the checksum knows. */
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	image[HEADER_AT + 8] -= 8;
	image[HEADER_AT + 12] += 8;
	expect_refused("no end tag");
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	image[HEADER_AT + 4] += 4; /* MIPS */
	image[HEADER_AT + 12] -= 4;
	expect_refused("architecture 4");
	header_begin();
	mb_noise();
	header_end(HEADER_AT);
	expect_refused("neither ELF");
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	image_len = HEADER_AT + 20;
	expect_refused("passes the file");
}

static void test_header_is_found_only_where_the_spec_allows(void)
{
	static u8 file[40000];
	u32 h[4] = { 0xe85250d6, 0, 16, 0u - 0xe85250d6 - 16 };

	memcpy(file + 32768 - 16, h, sizeof(h));
	EXPECT_EQ(32768 - 16, multiboot2_find(file, sizeof(file)));
	EXPECT_EQ(~0ull, multiboot2_find(file, 32767));
	memset(file, 0, sizeof(file));
	memcpy(file + 32768 - 8, h, sizeof(h));
	EXPECT_EQ(~0ull, multiboot2_find(file, sizeof(file)));
	memset(file, 0, sizeof(file));
	memcpy(file + 1004, h, sizeof(h)); /* not aligned */
	EXPECT_EQ(~0ull, multiboot2_find(file, sizeof(file)));
	memcpy(file + 2000, h, sizeof(h));
	EXPECT_EQ(2000, multiboot2_find(file, sizeof(file)));
	file[2012] ^= 1;
	EXPECT_EQ(~0ull, multiboot2_find(file, sizeof(file)));
}

/* An image with both headers: the protocol that tells more. */
static void test_multiboot2_goes_before_multiboot(void)
{
	u32 mb1[3] = { 0x1badb002, 0, 0u - 0x1badb002 };

	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	memcpy(image + 0x100, mb1, sizeof(mb1));
	machine(0x200000);
	expect_load();
	check_image(BASE, MAGIC);
}

TEST_MAIN(TEST(test_address_fields_are_checked), TEST(test_information_requests),
	  TEST(test_unknown_and_efi_tags), TEST(test_a_demanded_console), TEST(test_broken_headers),
	  TEST(test_header_is_found_only_where_the_spec_allows),
	  TEST(test_multiboot2_goes_before_multiboot))
