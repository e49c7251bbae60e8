/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/multiboot2.c, mb2header.c, mb2info.c: what a multiboot 2 guest asks for, where it goes,
 * and the information it reads: by the structures as the Multiboot2 Specification 2.0 draws them.
 */
#include "tests/host/load/mb2_sim.h"

#include "boot/load/multiboot2.h"

struct tag {
	u32 type, size;
};

struct mb_module {
	u32 type, size, start, end;
	char string[];
};

struct mb_mmap {
	u32 type, size, entry_size, entry_version;
	struct {
		u64 base, len;
		u32 type, reserved;
	} entry[];
};

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

struct mb_efi_table {
	u32 type, size;
	u64 pointer;
};

struct mb_efi_map {
	u32 type, size, desc_size, desc_version;
	u8 desc[];
};

static struct boot_framebuffer screen;
static struct boot_passed passed;
static u8 rsdp[36];

/* --- reading the information -------------------------------------------------------------------
 */

/* The @nth tag of @type; NULL: there is none. Checks the whole on the way. */
static const void *find(u32 type, u32 nth)
{
	const u8 *at = sim + sim_plan.rbx;
	u32 total;
	const void *found = NULL;

	memcpy(&total, at, 4);
	EXPECT_EQ(0, sim_plan.rbx % 8);
	for (u32 pos = 8;;) {
		const struct tag *t = (const void *)(at + pos);

		EXPECT_LE(pos + 8, total);
		EXPECT_GE(t->size, 8);
		if (t->type == type && nth-- == 0)
			found = t;
		if (t->type == 0) {
			EXPECT_EQ(8, t->size);
			EXPECT_EQ(total, pos + 8);
			return found;
		}
		pos += (t->size + 7) & ~7u;
	}
}

static void check_memory(void)
{
	const u32 *low = find(4, 0);
	const struct mb_mmap *m = find(6, 0);

	EXPECT_EQ(16, low[1]);
	EXPECT_EQ(0x9fc00 >> 10, low[2]);
	EXPECT_EQ((60u << 10) - 1024, low[3]); /* up to our region */
	EXPECT_EQ(16 + 24 * sim_map.count, m->size);
	EXPECT_EQ(24, m->entry_size);
	EXPECT_EQ(0, m->entry_version);
	for (u32 i = 0; i < sim_map.count; i++) {
		EXPECT_EQ(sim_map.e[i].base, m->entry[i].base);
		EXPECT_EQ(sim_map.e[i].len, m->entry[i].len);
		EXPECT_EQ(sim_map.e[i].type, m->entry[i].type);
		EXPECT_EQ(0, m->entry[i].reserved);
	}
}

static void check_modules(u64 base)
{
	for (u32 i = 0; i < in.module_count; i++) {
		const struct mb_module *m = find(3, i);

		EXPECT_NOT_NULL(m);
		EXPECT_EQ(mods[i].len, m->end - m->start);
		EXPECT_STREQ(mods[i].cmdline, m->string);
		EXPECT_EQ(16 + strlen(m->string) + 1, m->size);
		EXPECT_MEMEQ(bytes[i], sim + m->start, mods[i].len);
		EXPECT_TRUE(mods[i].len == 0 || m->start % 4096 == 0);
		EXPECT_TRUE(m->end <= base || m->start >= base + BSS);
	}
	EXPECT_NULL(find(3, in.module_count));
}

static void check_strings(void)
{
	EXPECT_STREQ(kernel.cmdline, (const char *)find(1, 0) + 8);
	EXPECT_STREQ(in.loader ? in.loader : "Kensho", (const char *)find(2, 0) + 8);
	EXPECT_NULL(find(1, 1));
}

static void check_info(u64 base)
{
	check_strings();
	check_memory();
	check_modules(base);
}

/* --- tests -------------------------------------------------------------------------------------
 */

static void (*const builds[])(void) = { build_elf32, build_elf64, build_flat };

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

/* --- EFI -----------------------------------------------------------------------------------------
 */

static struct boot_efi machine_efi;

/* The firmware's map of the machine, which knows nothing of our region at 60 MiB. */
static void efi_machine(u64 kernel_pa, u32 desc_size)
{
	static const struct efi_descriptor d[] = {
		{ 7, 0, 0, 0, 0x9f, 0xf },
		{ 3, 0, 0x100000, 0, 0x400, 0xf },
		{ 7, 0, 0x500000, 0, 0x3a00, 0xf },
		{ 6, 0, 0x3f00000, 0, 0x80, 0x800000000000000f },
		{ 9, 0, 0x3f80000, 0, 0x80, 0xf },
	};

	machine(kernel_pa);
	machine_efi = (struct boot_efi){
		.present = true,
		.is_64bit = true,
		.systab_pa = 0x123456789a,
		.map = { .desc_size = desc_size, .desc_version = 1, .count = 5 }
	};
	memcpy(machine_efi.map.d, d, sizeof(d));
	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&machine_efi.map, false, &sim_map));
	EXPECT_EQ(ERR_NONE, e820_reserve(&sim_map, 60u << 20, 2u << 20, E820_RESERVED));
	in.efi = &machine_efi;
}

/* The type of the page at @pa as the guest reads it; ~0: no descriptor. */
static u32 efi_type_at(const struct mb_efi_map *m, u64 pa)
{
	u32 found = ~0u;

	for (u32 at = 0; 16 + at < m->size; at += m->desc_size) {
		struct efi_descriptor d;

		memcpy(&d, m->desc + at, sizeof(d));
		if (pa >= d.pa && pa - d.pa < d.pages << 12) {
			EXPECT_EQ(~0u, found); /* descriptors do not overlap */
			found = d.type;
		}
	}
	return found;
}

static void check_efi_map(u32 desc_size)
{
	const struct mb_efi_map *m = find(17, 0);
	const u32 *info = (const void *)(sim + sim_plan.rbx);

	EXPECT_NOT_NULL(m);
	EXPECT_EQ(desc_size, m->desc_size);
	EXPECT_EQ(1, m->desc_version);
	EXPECT_EQ(0, (m->size - 16) % desc_size);
	EXPECT_EQ(5, machine_efi.map.count); /* the firmware's own is not touched */
	for (u64 pa = 60u << 20; pa < 62u << 20; pa += 4096)
		EXPECT_EQ(0, efi_type_at(m, pa)); /* EfiReservedMemoryType */
	EXPECT_EQ(7, efi_type_at(m, (60u << 20) - 4096));
	EXPECT_EQ(7, efi_type_at(m, 62u << 20));
	EXPECT_EQ(6, efi_type_at(m, 0x3f00000));
	EXPECT_EQ(9, efi_type_at(m, 0x3f80000));
	EXPECT_EQ(3, efi_type_at(m, BASE - 4096));
	/* A guest takes conventional memory: not where its image, modules, information are. */
	for (u64 pa = BASE; pa < BASE + BSS; pa += 4096)
		EXPECT_EQ(2, efi_type_at(m, pa));
	EXPECT_EQ(7, efi_type_at(m, BASE + BSS));
	EXPECT_EQ(2, efi_type_at(m, sim_plan.rbx));
	EXPECT_EQ(2, efi_type_at(m, sim_plan.rbx + *info - 1));
	for (u32 i = 0; i < in.module_count; i++) {
		const struct mb_module *mod = find(3, i);

		EXPECT_EQ(2, efi_type_at(m, mod->start));
		EXPECT_EQ(2, efi_type_at(m, mod->end - 1));
	}
	/* Both maps call the same pages RAM. */
	for (u64 pa = 0; pa < 64u << 20; pa += 4096) {
		u32 type = efi_type_at(m, pa);

		EXPECT_EQ(e820_is_type(&sim_map, pa, 4096, E820_RAM),
			  (type >= 1 && type <= 4) || type == 7);
	}
}

static void test_efi_is_handed_on(void)
{
	static const u32 sizes[] = { 40, 48, 96 };

	for (u32 i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(builds); i++) {
		const struct mb_efi_table *table;

		header_begin();
		TAG(1, 0, 11, 12, 17); /* asked for */
		builds[i % 3]();
		header_end(HEADER_AT);
		efi_machine(0x200000, sizes[i / 3]);
		module_add(0x1000000, 5000); /* stays; the other is in the way of the image */
		module_add(BASE + 0x10000, 70000);
		expect_load();
		check_image(BASE, MAGIC);
		check_strings();
		check_modules(BASE);
		check_efi_map(sizes[i / 3]);
		table = find(12, 0);
		EXPECT_NOT_NULL(table);
		EXPECT_EQ(16, table->size);
		EXPECT_EQ(0x123456789a, table->pointer);
		for (u32 type = 18; type < 21; type++)
			EXPECT_NULL(find(type, 0)); /* boot services have ended */
		EXPECT_NULL(find(11, 0));
	}
}

static void test_efi_tags_say_what_is_known(void)
{
	static const u32 asked[] = { 11, 12, 17 };

	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	efi_machine(0x200000, 48);
	machine_efi.is_64bit = false;
	machine_efi.systab_pa = 0x3f00018;
	expect_load();
	EXPECT_EQ(12, ((const struct tag *)find(11, 0))->size);
	EXPECT_EQ(0x3f00018, ((const u32 *)find(11, 0))[2]);
	EXPECT_NULL(find(12, 0));
	machine_efi.map.count = 0;
	expect_load();
	EXPECT_NOT_NULL(find(11, 0));
	EXPECT_NULL(find(17, 0));
	machine_efi.systab_pa = 0;
	expect_load();
	EXPECT_NULL(find(11, 0));
	EXPECT_NULL(find(12, 0));
	/* A BIOS machine, and demanded: "if it supports a given tag but the information conveyed by
	 * it is not available [it] passes control to the loaded image as usual". */
	for (u32 i = 0; i < ARRAY_SIZE(asked); i++) {
		header_begin();
		build_elf32();
		header_tag(1, 0, 1, &asked[i]);
		header_end(HEADER_AT);
		machine(0x200000);
		expect_load();
		for (u32 k = 0; k < ARRAY_SIZE(asked); k++)
			EXPECT_NULL(find(asked[k], 0));
	}
}

/* As many descriptors as there can be: the map of a guest has no room for its cuts. */
static void test_a_full_efi_map_is_left_out(void)
{
	header_begin();
	build_elf32();
	header_end(HEADER_AT);
	efi_machine(0x200000, 96);
	for (; machine_efi.map.count < EFI_MAP_MAX - 2 * LOAD_COPIES_MAX - 2;
	     machine_efi.map.count++)
		machine_efi.map.d[machine_efi.map.count] = (struct efi_descriptor){
			.type = 11, .pa = (4096ull + machine_efi.map.count) << 20, .pages = 1
		};
	expect_load();
	EXPECT_NOT_NULL(find(17, 0));
	EXPECT_GE(((const struct tag *)find(17, 0))->size, 16 + 96 * (machine_efi.map.count + 5));
	for (; machine_efi.map.count < EFI_MAP_MAX; machine_efi.map.count++)
		machine_efi.map.d[machine_efi.map.count] = (struct efi_descriptor){
			.type = 11, .pa = (4096ull + machine_efi.map.count) << 20, .pages = 1
		};
	expect_load();
	EXPECT_NULL(find(17, 0));
	EXPECT_NOT_NULL(find(12, 0));
}

struct place {
	u32 min, max, align, preference;
	u64 base; /* 0: refused */
};

/* RAM of the machine: 1 to 60 MiB, our region, 62 MiB to 63.9 MiB. */
static const struct place places[] = {
	{ 0, 0xffffffff, 4096, 0, BASE }, /* stays */
	{ 0, BASE + BSS, 4096, 0, BASE }, /* the end may touch max */
	{ BASE, 0xffffffff, 1, 0, BASE }, /* and the start min */
	{ 0, 0xffffffff, 0, 0, BASE },    /* alignment 0: none */
	{ BASE + 1, 0xffffffff, 4096, 0, BASE + 0x1000 },
	{ 0, 0xffffffff, 8u << 20, 0, 8u << 20 }, /* not aligned where it is */
	{ 0, 0xffffffff, 4096, 2, 0x3900000 },    /* below our region */
	{ 0, 0x3000001, 2u << 20, 2, 0x2c00000 },
	{ 0x3000000, 0x4000000, 4096, 1, 0x3000000 },
	{ 0, 0x200000, 4096, 0, 0 },
	{ 0, BASE + BSS - 1, 4u << 20, 0, 0 },
	{ 0x3b00000, 0xffffffff, 4096, 1, 0 },
};

static void test_relocatable_images_go_where_they_may(void)
{
	for (u32 k = 0; k < ARRAY_SIZE(builds); k++) {
		for (u32 i = 0; i < ARRAY_SIZE(places); i++) {
			const struct place *p = &places[i];

			header_begin();
			TAG(10, 0, p->min, p->max, p->align, p->preference);
			builds[k]();
			header_end(HEADER_AT);
			if (p->base == 0) {
				expect_refused("no place for the image");
				continue;
			}
			machine(0x180000);
			expect_load();
			check_image(p->base, MAGIC);
			check_info(p->base);
			EXPECT_EQ(12, ((const u32 *)find(21, 0))[1]);
			EXPECT_EQ(p->base, ((const u32 *)find(21, 0))[2]);
		}
	}
	header_begin();
	TAG(10, 0, 0, 0xffffffff, 3, 0);
	build_elf32();
	header_end(HEADER_AT);
	expect_refused("no power of two");
}

/* The image itself and a module fill the only place: they are moved away first. */
static void test_lowest_place_is_clear_of_images(void)
{
	header_begin();
	TAG(10, 0, 0x100000, 0xffffffff, 4096, 1);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x300000);
	module_add(0x180000, 1000);
	expect_load();
	check_image(0x304000, MAGIC);
	check_info(0x304000);
	machine(0x100000);
	module_add(0x3000000, 0x20000);
	expect_load();
	check_image(0x104000, MAGIC);
	check_info(0x104000);
	header_begin();
	TAG(10, 0, 0x100000, 0xffffffff, 4096, 2);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x300000);
	module_add(0x3a00000, 1000);
	expect_load();
	check_image(0x3a00000 - BSS, MAGIC);
	check_info(0x3a00000 - BSS);
}

/* They move together: the second to where the first was linked. */
static void test_two_segments_move_together(void)
{
	Elf32_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = TEXT + 0x1000,
			 .p_vaddr = BASE + BSS,
			 .p_paddr = BASE + BSS,
			 .p_filesz = 0x1000,
			 .p_memsz = 0x1000 };

	header_begin();
	TAG(10, 0, BASE - BSS, 0xffffffff, 4096, 1);
	build_elf32();
	image[offsetof(Elf32_Ehdr, e_phnum)] = 2;
	memcpy(image + sizeof(Elf32_Ehdr) + sizeof(p), &p, sizeof(p));
	header_end(HEADER_AT);
	machine(0x3000000);
	expect_load();
	check_image(BASE - BSS, MAGIC);
	EXPECT_MEMEQ(image + TEXT + 0x1000, sim + BASE, 0x1000);
}

static void test_entry_address_replaces_that_of_the_elf(void)
{
	header_begin();
	TAG(3, 0, BASE + 0x10);
	build_elf32();
	memset(image + offsetof(Elf32_Ehdr, e_entry), 0x40, 4);
	header_end(HEADER_AT);
	expect_refused("ELF entry point"); /* both must make sense */
	header_begin();
	TAG(3, 0, BASE + 0x30);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	EXPECT_EQ(BASE + 0x30, sim_plan.rip);
	header_begin();
	TAG(3, 0, BASE + 0x30);
	TAG(10, 0, 0x1000000, 0xffffffff, 4096, 1);
	build_elf32();
	header_end(HEADER_AT);
	machine(0x200000);
	expect_load();
	EXPECT_EQ(0x1000030, sim_plan.rip);
	header_begin();
	TAG(3, 0, BASE + BSS);
	build_elf32();
	header_end(HEADER_AT);
	expect_refused("entry address 0x700000");
}

static void test_random_damage_is_survived(void)
{
	for (u32 i = 0; i < 3000; i++) {
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
		if (load_plan_guest(&in, &sim_plan) == ERR_NONE)
			load_execute(&sim_plan);
	}
}

TEST_MAIN(TEST(test_every_kind_of_image), TEST(test_images_in_the_way_survive),
	  TEST(test_initrd_counts_as_the_only_module), TEST(test_symbols_are_loaded_and_named),
	  TEST(test_screen_and_firmware_are_handed_on), TEST(test_efi_is_handed_on),
	  TEST(test_efi_tags_say_what_is_known), TEST(test_a_full_efi_map_is_left_out),
	  TEST(test_relocatable_images_go_where_they_may),
	  TEST(test_lowest_place_is_clear_of_images), TEST(test_two_segments_move_together),
	  TEST(test_entry_address_replaces_that_of_the_elf), TEST(test_random_damage_is_survived))
