/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/multiboot.c: the information a multiboot 1 guest reads, and where everything ends up.
 */
#include "tests/host/load/mb_sim.h"

#include "boot/load/multiboot.h"

/* The structures as the Multiboot Specification 0.6.96 draws them. */
struct mbi {
	u32 flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4];
	u32 mmap_length, mmap_addr, drives_length, drives_addr, config_table, boot_loader_name;
};

struct mb_mod {
	u32 start, end, string, reserved;
};

struct mb_mmap {
	u32 size;
	u64 base, len;
	u32 type;
} __attribute__((packed));

#define MAGIC 0x2badb002u /* in EAX */

static void header_at(u32 at, u32 flags)
{
	u32 h[3] = { 0x1badb002, flags, 0u - 0x1badb002 - flags };

	memcpy(image + at, h, sizeof(h));
}

/* ELF32 at 4 MiB with a large bss, as such programs are linked. */
static void build_elf(void)
{
	(void)mb_elf32();
	header_at(TEXT + 4, 3);
}

/* The same program as a flat file: where it goes is in the header. */
static void build_flat(void)
{
	u32 addresses[5] = { BASE + 4, BASE, BASE + 0x2000, BASE + BSS, BASE + 0x10 };

	build_elf();
	image_len = TEXT + CODE;
	memset(image, 0, 4);
	header_at(TEXT + 4, 3 | 1u << 16);
	memcpy(image + TEXT + 4 + 12, addresses, sizeof(addresses));
}

static void check_memory_info(const struct mbi *mbi)
{
	const struct mb_mmap *m = (const void *)(sim + mbi->mmap_addr);

	EXPECT_EQ(0x9fc00 >> 10, mbi->mem_lower);
	EXPECT_EQ((60u << 10) - 1024, mbi->mem_upper); /* up to our region */
	EXPECT_EQ(24 * sim_map.count, mbi->mmap_length);
	for (u32 i = 0; i < sim_map.count; i++) {
		EXPECT_EQ(20, m[i].size);
		EXPECT_EQ(sim_map.e[i].base, m[i].base);
		EXPECT_EQ(sim_map.e[i].len, m[i].len);
		EXPECT_EQ(sim_map.e[i].type, m[i].type);
	}
}

static void check_info(void)
{
	const struct mbi *mbi = (const void *)(sim + sim_plan.rbx);
	const struct mb_mod *m = (const void *)(sim + mbi->mods_addr);

	EXPECT_EQ(1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9, mbi->flags);
	EXPECT_STREQ(kernel.cmdline, (const char *)sim + mbi->cmdline);
	EXPECT_STREQ("Kensho", (const char *)sim + mbi->boot_loader_name);
	check_memory_info(mbi);
	EXPECT_EQ(in.module_count, mbi->mods_count);
	for (u32 i = 0; i < in.module_count; i++) {
		EXPECT_EQ(mods[i].len, m[i].end - m[i].start);
		EXPECT_STREQ(mods[i].cmdline, (const char *)sim + m[i].string);
		EXPECT_MEMEQ(bytes[i], sim + m[i].start, mods[i].len);
		EXPECT_TRUE(mods[i].len == 0 || m[i].start % 4096 == 0);
		EXPECT_TRUE(m[i].end <= BASE || m[i].start >= BASE + BSS);
	}
}

static void (*const builds[])(void) = { build_elf, build_flat };

static void test_plain_guest(void)
{
	for (u32 i = 0; i < 2; i++) {
		builds[i]();
		machine(0x200000);
		expect_load();
		check_image(BASE, MAGIC);
		check_info();
		kernel.cmdline = "";
		machine(0x200000);
		expect_load();
		check_info();
	}
}

/* Kernel file and modules lie at random in and around the place of the image. */
static void test_images_in_the_way_survive(void)
{
	for (u32 i = 0; i < 150; i++) {
		u64 at = BASE - 0x40000 + (test_rng() % 64 << 12);

		builds[i % 2]();
		machine(at);
		at += sizeof(image);
		for (u32 k = 0; k < test_rng() % (MODS + 1); k++) {
			u64 len = test_rng() % sizeof(bytes[0]);

			at = ((at + 4095) & ~4095ull) + (test_rng() % 64 << 12);
			module_add(at, len);
			at += len;
		}
		expect_load();
		check_image(BASE, MAGIC);
		check_info();
	}
}

static void test_modules_that_are_not_page_aligned_are_moved(void)
{
	build_elf();
	machine(0x200000);
	module_add(0x300010, 1000);
	expect_load();
	check_info();
}

static void test_elf64_in_a_multiboot_image(void)
{
	(void)mb_elf64(BASE);
	header_at(TEXT + 4, 3);
	machine(0x200000);
	expect_load();
	check_image(BASE, MAGIC);
	check_info();
}

static void test_header_is_found_only_where_the_spec_allows(void)
{
	memset(image, 0, sizeof(image));
	header_at(8192 - 12, 0);
	EXPECT_EQ(8192 - 12, multiboot_find(image, sizeof(image)));
	memset(image, 0, sizeof(image));
	header_at(8192 - 8, 0);
	EXPECT_EQ(~0ull, multiboot_find(image, sizeof(image)));
	memset(image, 0, sizeof(image));
	header_at(102, 0); /* not aligned */
	EXPECT_EQ(~0ull, multiboot_find(image, sizeof(image)));
	memset(image, 0, sizeof(image));
	header_at(100, 0);
	EXPECT_EQ(100, multiboot_find(image, sizeof(image)));
	EXPECT_EQ(~0ull, multiboot_find(image, 111));
	image[108] ^= 1; /* checksum */
	EXPECT_EQ(~0ull, multiboot_find(image, sizeof(image)));
}

static void address_fields(u32 header, u32 load, u32 load_end, u32 bss_end, u32 entry)
{
	u32 addresses[5] = { header, load, load_end, bss_end, entry };

	build_flat();
	memcpy(image + TEXT + 4 + 12, addresses, sizeof(addresses));
}

static void test_address_fields_are_checked(void)
{
	address_fields(BASE - 4, BASE, 0, 0, BASE);
	expect_refused("load_addr");
	address_fields(BASE + 0x1005, BASE, 0, 0, BASE);
	expect_refused("load_addr");
	address_fields(BASE + 4, BASE, BASE - 1, 0, BASE);
	expect_refused("truncated");
	address_fields(BASE + 4, BASE, BASE + 0x2001, 0, BASE);
	expect_refused("truncated");
	address_fields(BASE + 4, BASE, BASE + 0x2000, BASE + 0x1fff, BASE);
	expect_refused("bss_end_addr");
	address_fields(BASE + 4, BASE, BASE + 0x2000, BASE + 0x3000, BASE + 0x3000);
	expect_refused("entry point");
	address_fields(BASE + 4, BASE, BASE + 0x2000, 0xffffffff, BASE);
	expect_refused("not free RAM");
	address_fields(BASE + 4, BASE, 0, 0,
		       BASE + 0x1fff); /* "to the end of the file", "no bss" */
	machine(0x200000);
	expect_load();
	EXPECT_MEMEQ(image + TEXT, sim + BASE, 0x2000);
}

static void test_refusals(void)
{
	static char text[sizeof(sim_plan.scratch) / 16];

	build_elf();
	header_at(TEXT + 4, 1u << 3);
	expect_refused("0x8");
	build_elf();
	memset(image, 0, 4);
	expect_refused("neither ELF");
	memset(image, 0, sizeof(image));
	header_at(sizeof(image) - 12 < 8180 ? sizeof(image) - 12 : 8180, 1u << 16);
	machine(0x200000);
	kernel.len = 8192;
	EXPECT_NE(ERR_NONE, load_plan_guest(&in, &sim_plan));
	EXPECT_CONTAINS(sim_plan.why, "truncated");
	/* More module strings than the plan has room for. */
	build_elf();
	machine(0x200000);
	memset(text, 'y', sizeof(text) - 1);
	in.module_count = 16;
	in.module = calloc(16, sizeof(mods[0]));
	for (u32 i = 0; i < 16; i++) {
		struct guest_image m = { .data = sim, .start = hpa(0x300000), .cmdline = text };

		memcpy((void *)(uintptr_t)&in.module[i], &m, sizeof(m));
	}
	EXPECT_NE(ERR_NONE, load_plan_guest(&in, &sim_plan));
	EXPECT_CONTAINS(sim_plan.why, "too long together");
	free((void *)(uintptr_t)in.module);
}

/* Fields that have no place in struct mbi, by their offsets in the specification. */
static u64 field(u32 at, u32 len)
{
	u64 val = 0;

	memcpy(&val, sim + sim_plan.rbx + at, len);
	return val;
}

static void test_screen_and_firmware_are_handed_on(void)
{
	struct boot_framebuffer fb = { .kind = FRAMEBUFFER_PIXEL,
				       .pa = 0x8e0000000ull,
				       .pitch = 4096,
				       .width = 1024,
				       .height = 768,
				       .bpp = 32,
				       .red = { 16, 8 },
				       .green = { 8, 7 },
				       .blue = { 1, 6 } };
	struct boot_passed passed = { .tag = { { 5, 12, { 0 } }, { 10, 20, { 0 } } } };
	u32 drive[3] = { 0x80, 1, 0xffffffff };

	build_elf();
	machine(0x200000);
	memcpy(passed.tag[0].data, drive, sizeof(drive));
	memset(passed.tag[1].data, 0x18, 20);
	in.screen = &fb;
	in.passed = &passed;
	in.loader = "Kensho 1.2-abc";
	expect_load();
	EXPECT_EQ(1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9 | 1u << 10 | 1u << 12,
		  field(0, 4));
	EXPECT_EQ(0x8001ffff, field(12, 4));
	EXPECT_STREQ("Kensho 1.2-abc", (const char *)sim + field(64, 4));
	EXPECT_MEMEQ(passed.tag[1].data, sim + field(68, 4), 20);
	EXPECT_EQ(fb.pa, field(88, 8));
	EXPECT_EQ(4096, field(96, 4));
	EXPECT_EQ(1024, field(100, 4));
	EXPECT_EQ(768, field(104, 4));
	EXPECT_EQ(32, field(108, 1));
	EXPECT_EQ(1, field(109, 1));
	EXPECT_MEMEQ("\x10\x08\x08\x07\x01\x06", sim + sim_plan.rbx + 110, 6);
	fb.kind = FRAMEBUFFER_TEXT;
	expect_load();
	EXPECT_EQ(2, field(109, 1));
	fb.kind = FRAMEBUFFER_NONE;
	expect_load();
	EXPECT_EQ(0, field(0, 4) & 1u << 12);
}

static void test_symbols_are_handed_on(void)
{
	Elf32_Shdr s[] = { { 0 }, { .sh_type = SHT_STRTAB, .sh_offset = 0x40, .sh_size = 0x99 } };
	Elf32_Ehdr *h = (void *)image;
	const Elf32_Shdr *got;

	build_elf();
	memcpy(image + 0x800, s, sizeof(s));
	h->e_shoff = 0x800;
	h->e_shentsize = sizeof(s[0]);
	h->e_shnum = 2;
	h->e_shstrndx = 1;
	machine(0x200000);
	expect_load();
	EXPECT_EQ(1u << 5, field(0, 4) & 1u << 5);
	EXPECT_EQ(2, field(28, 4));
	EXPECT_EQ(sizeof(s[0]), field(32, 4));
	EXPECT_EQ(1, field(40, 4));
	got = (const void *)(sim + field(36, 4));
	EXPECT_EQ(0x99, got[1].sh_size);
	EXPECT_MEMEQ(image + 0x40, sim + got[1].sh_addr, 0x99);
}

static void test_initrd_counts_as_the_only_module(void)
{
	build_elf();
	machine(0x200000);
	module_add(0x300000, 100);
	in.module_count = 0;
	in.initrd = &mods[0];
	expect_load();
	in.module_count = 1;
	check_info();
}

static void test_random_damage_is_survived(void)
{
	const u32 runs = 3000;
	u32 loaded = 0;

	for (u32 i = 0; i < runs; i++) {
		builds[i % 2]();
		machine(0x200000);
		module_add(0x300000, 100);
		for (u32 k = 0; k < 4; k++)
			sim[0x200000 + (k % 2 != 0 ? test_rng() % 0x60
						   : TEXT + 8 + test_rng() % 32)] = (u8)test_rng();
		loaded += sim_survives(&in);
	}
	EXPECT_GE(loaded, runs / 10);
	EXPECT_GE(runs - loaded, runs / 10);
}

TEST_MAIN(TEST(test_plain_guest), TEST(test_images_in_the_way_survive),
	  TEST(test_modules_that_are_not_page_aligned_are_moved),
	  TEST(test_elf64_in_a_multiboot_image),
	  TEST(test_header_is_found_only_where_the_spec_allows),
	  TEST(test_address_fields_are_checked), TEST(test_refusals),
	  TEST(test_screen_and_firmware_are_handed_on), TEST(test_symbols_are_handed_on),
	  TEST(test_initrd_counts_as_the_only_module), TEST(test_random_damage_is_survived))
