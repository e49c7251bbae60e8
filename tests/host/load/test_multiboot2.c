/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/multiboot2.c, mb2info.c: images of every kind and the information about memory,
 * modules, symbols, screen and firmware. test_multiboot2_header.c has what a guest asks for,
 * test_multiboot2_place.c where it goes, test_multiboot2_efi.c what it hears of EFI.
 */
#include "tests/host/load/mb2_info.h"

struct mb_screen {
	u32 type, size;
	u64 addr;
	u32 pitch, width, height;
	u8 bpp, kind;
	u16 reserved;
	u8 colour[6];
};

struct mb_elf {
	u32 type, size, num, entsize, shndx;
	u8 headers[];
};

static struct boot_framebuffer screen;
static struct boot_passed passed;
static u8 rsdp[36];

static void test_every_kind_of_image(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(builds); i++) {
		header_begin();
		builds[i]();
		header_end(HEADER_AT);
		machine(0x200000);
		expect_load();
		check_image(BASE, MAGIC);
		check_info(BASE);
		EXPECT_NULL(find(21, 0)); /* load base: relocatable images only */
		kernel.cmdline = "";
		in.loader = "Kensho 1.2-abc";
		expect_load();
		check_info(BASE);
	}
}

static void test_images_in_the_way_survive(void)
{
	for (u32 i = 0; i < 150; i++) {
		u64 at = BASE - 0x40000 + (test_rng() % 64 << 12);

		header_begin();
		builds[i % 3]();
		header_end(HEADER_AT);
		machine(at);
		at += image_len;
		for (u32 k = 0; k < test_rng() % (MODS + 1); k++) {
			u64 len = test_rng() % sizeof(bytes[0]);

			at = ((at + 4095) & ~4095ull) + (test_rng() % 64 << 12);
			module_add(at, len);
			at += len;
		}
		expect_load();
		check_image(BASE, MAGIC);
		check_info(BASE);
	}
}

static void test_initrd_counts_as_the_only_module(void)
{
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	module_add(0x300000, 100);
	in.module_count = 0;
	in.initrd = &mods[0];
	expect_load();
	in.module_count = 1;
	check_modules(BASE);
}

static void check_symbols(u32 entsize, u32 addr_off, u32 addr_len)
{
	const struct mb_elf *e = find(9, 0);

	EXPECT_NOT_NULL(e);
	EXPECT_EQ(20 + 5 * entsize, e->size);
	EXPECT_EQ(5, e->num);
	EXPECT_EQ(entsize, e->entsize);
	EXPECT_EQ(3, e->shndx);
	for (u32 i = 0; i < 5; i++) {
		const u8 *from = image + 0x3800 + i * entsize, *to = e->headers + i * entsize;
		u64 addr = 0;

		EXPECT_MEMEQ(from, to, addr_off);
		EXPECT_MEMEQ(from + addr_off + addr_len, to + addr_off + addr_len,
			     entsize - addr_off - addr_len);
		memcpy(&addr, to + addr_off, addr_len);
		if (i == 2)
			EXPECT_MEMEQ(image + SYMS, sim + addr, 0x120);
		else if (i == 3)
			EXPECT_MEMEQ(image + SYMS + 0x123, sim + addr, 0x77);
		else
			EXPECT_EQ(i == 1 ? BASE : 0, addr);
		if (i == 2)
			EXPECT_EQ(SYMS % 16, addr % 16); /* as aligned as in the file */
	}
}

static void test_symbols_are_loaded_and_named(void)
{
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	check_symbols(sizeof(Elf32_Shdr), offsetof(Elf32_Shdr, sh_addr), 4);
	header_begin();
	build_elf64();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	check_symbols(sizeof(Elf64_Shdr), offsetof(Elf64_Shdr, sh_addr), 8);
	image[0x3800 + 2 * sizeof(Elf64_Shdr) + offsetof(Elf64_Shdr, sh_size) + 3] = 1;
	expect_refused("section 2 ends behind the file");
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	image_len = 0x3880;
	expect_refused("section headers end behind the file");
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	memset(image + offsetof(Elf32_Ehdr, e_shnum), 0, 2);
	machine(0x200000);
	expect_load();
	EXPECT_NULL(find(9, 0));
}

static void test_screen_and_firmware_are_handed_on(void)
{
	const struct mb_screen *s;

	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	screen = (struct boot_framebuffer){ .kind = FRAMEBUFFER_PIXEL,
					    .pa = 0x8e0000000ull,
					    .pitch = 4096,
					    .width = 1024,
					    .height = 768,
					    .bpp = 32,
					    .red = { 16, 8 },
					    .green = { 8, 7 },
					    .blue = { 1, 6 } };
	in.screen = &screen;
	in.passed = &passed;
	in.rsdp = rsdp;
	in.rsdp_len = 36;
	memset(rsdp, 0x5a, sizeof(rsdp));
	passed.tag[0].type = 5;
	passed.tag[0].len = 12;
	memset(passed.tag[0].data, 0x17, 12);
	passed.tag[1].type = 10;
	passed.tag[1].len = 20;
	memset(passed.tag[1].data, 0x18, 20);
	expect_load();
	s = find(8, 0);
	EXPECT_NOT_NULL(s);
	EXPECT_EQ(38, s->size);
	EXPECT_EQ(screen.pa, s->addr);
	EXPECT_EQ(4096, s->pitch);
	EXPECT_EQ(1024, s->width);
	EXPECT_EQ(768, s->height);
	EXPECT_EQ(32, s->bpp);
	EXPECT_EQ(1, s->kind);
	EXPECT_MEMEQ("\x10\x08\x08\x07\x01\x06", s->colour, 6);
	EXPECT_MEMEQ(passed.tag[0].data, (const u8 *)find(5, 0) + 8, 12);
	EXPECT_MEMEQ(passed.tag[1].data, (const u8 *)find(10, 0) + 8, 20);
	EXPECT_MEMEQ(rsdp, (const u8 *)find(15, 0) + 8, 36);
	EXPECT_NULL(find(14, 0));
	screen.kind = FRAMEBUFFER_TEXT;
	in.rsdp_len = 20;
	memset(&passed, 0, sizeof(passed));
	expect_load();
	s = find(8, 0);
	EXPECT_EQ(32, s->size);
	EXPECT_EQ(2, s->kind);
	EXPECT_EQ(28, ((const struct tag *)find(14, 0))->size);
	EXPECT_NULL(find(15, 0));
	EXPECT_NULL(find(5, 0));
	EXPECT_NULL(find(10, 0));
	screen.kind = FRAMEBUFFER_INDEXED;
	expect_load();
	EXPECT_NULL(find(8, 0));
}

static void test_random_damage_is_survived(void)
{
	const u32 runs = 3000;
	u32 loaded = 0;

	for (u32 i = 0; i < runs; i++) {
		header_begin();
		TAG(1, 0, 1, 6, 9);
		TAG(10, 0, 0x100000, 0xffffffff, 4096, (u32)(test_rng() % 3));
		builds[i % 3]();
		header_end(HEADER_AT);
		if (i % 2 != 0)
			efi_machine(0x200000, 48);
		else
			machine(0x200000);
		module_add(0x300000, 100);
		for (u32 k = 0; k < 4; k++)
			sim[0x200000 +
			    (k % 2 != 0 ? test_rng() % 0x80 : HEADER_AT + 16 + test_rng() % 80)] =
				(u8)test_rng();
		loaded += sim_survives(&in);
	}
	EXPECT_GE(loaded, runs / 10);
	EXPECT_GE(runs - loaded, runs / 10);
}

TEST_MAIN(TEST(test_every_kind_of_image), TEST(test_images_in_the_way_survive),
	  TEST(test_initrd_counts_as_the_only_module), TEST(test_symbols_are_loaded_and_named),
	  TEST(test_screen_and_firmware_are_handed_on), TEST(test_random_damage_is_survived))
