/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/elf.c with images made by <elf.h>, in both classes. */
#include <elf.h>

#include "tests/host/load/load_sim.h"

#include "boot/load/elf.h"

static u8 image[8192] ALIGNED(16);
static struct guest_image img;
static struct load_input in;
static u64 entry;

struct seg {
	u64 offset, vaddr, paddr, filesz, memsz;
};

static void build64(const struct seg *s, u32 count, u64 start)
{
	Elf64_Ehdr *h = (void *)image;

	*h = (Elf64_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = start,
		.e_phoff = sizeof(*h) + 8,
		.e_phentsize = sizeof(Elf64_Phdr) + 8,
		.e_phnum = (Elf64_Half)count,
	};
	for (u32 i = 0; i < count; i++) {
		Elf64_Phdr p = { .p_type = PT_LOAD,
				 .p_offset = s[i].offset,
				 .p_vaddr = s[i].vaddr,
				 .p_paddr = s[i].paddr,
				 .p_filesz = s[i].filesz,
				 .p_memsz = s[i].memsz };

		memcpy(image + h->e_phoff + i * h->e_phentsize, &p, sizeof(p));
	}
}

static void build32(const struct seg *s, u32 count, u64 start)
{
	Elf32_Ehdr *h = (void *)image;

	*h = (Elf32_Ehdr){
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_entry = (Elf32_Addr)start,
		.e_phoff = sizeof(*h),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = (Elf32_Half)count,
	};
	for (u32 i = 0; i < count; i++) {
		Elf32_Phdr p = { .p_type = PT_LOAD,
				 .p_offset = (Elf32_Off)s[i].offset,
				 .p_vaddr = (Elf32_Addr)s[i].vaddr,
				 .p_paddr = (Elf32_Addr)s[i].paddr,
				 .p_filesz = (Elf32_Word)s[i].filesz,
				 .p_memsz = (Elf32_Word)s[i].memsz };

		memcpy(image + h->e_phoff + i * h->e_phentsize, &p, sizeof(p));
	}
}

static void (*const build[])(const struct seg *s, u32 count, u64 start) = { build32, build64 };

static void fill(void)
{
	for (u32 i = 0; i < sizeof(image); i++)
		image[i] = (u8)test_rng();
}

static err_t plan(u64 pa)
{
	err_t err;

	sim_machine(32);
	img = sim_image(pa, image, sizeof(image), "");
	in = (struct load_input){ .kernel = &img, .memory = &sim_map };
	err = plan_begin(&sim_plan, &in);
	if (err == ERR_NONE)
		err = elf_plan(&in, &img, &sim_plan, &entry);
	return err != ERR_NONE ? err : plan_order(&sim_plan, &sim_map);
}

static void expect_refused(const char *text)
{
	err_t err = plan(0x800000);

	EXPECT_NE(ERR_NONE, err);
	EXPECT_CONTAINS(sim_plan.why, text);
	EXPECT_LE(strlen(sim_plan.why), sizeof(sim_plan.why) - 2);
}

/* The file may lie anywhere, also where its own segments go. */
static void test_segments_arrive_whatever_lies_where(void)
{
	static const struct seg s[] = {
		{ 0x1000, 0x400000, 0x400000, 0x800, 0x800 },
		{ 0x1800, 0x401000, 0x401000, 0x123, 0x3000 },
		{ 0x1000, 0x410000, 0x410000, 0, 0x100 },
		{ 0x1400, 0x420000, 0x420000, 0x900, 0x901 },
	};

	for (u32 i = 0; i < 200; i++) {
		err_t err;

		fill();
		build[i % 2](s, 4, 0x401010);
		err = plan(0x3f0000 + test_rng() % 0x32000);
		EXPECT_EQ(ERR_NONE, err);
		EXPECT_EQ(0x401010, entry);
		load_execute(&sim_plan);
		for (u32 k = 0; k < 4; k++) {
			EXPECT_MEMEQ(image + s[k].offset, sim + s[k].paddr, s[k].filesz);
			for (u64 z = s[k].filesz; z < s[k].memsz; z++)
				EXPECT_EQ(0, sim[s[k].paddr + z]);
		}
	}
}

static void test_virtual_entry_is_translated(void)
{
	static const struct seg s[] = { { 0x1000, 0xffffffff80000000ull, 0x400000, 0x800, 0x800 },
					{ 0x1000, 0xffffffff80400000ull, 0x800000, 0x800, 0x800 } };
	err_t err;

	build64(s, 2, 0xffffffff80400123ull);
	err = plan(0x100000);
	EXPECT_EQ(ERR_NONE, err);
	EXPECT_EQ(0x800123, entry);
	build64(s, 2, 0x400010); /* or physical */
	err = plan(0x100000);
	EXPECT_EQ(ERR_NONE, err);
	EXPECT_EQ(0x400010, entry);
}

static void test_wrong_segments_are_named(void)
{
	static const struct {
		struct seg s[2];
		const char *why;
	} rows[] = {
		{ { { 0x1000, 0, 0x400000, 0x800, 0x800 }, { 0x1000, 0, 0x4007ff, 1, 1 } },
		  "segments 0 and 1 overlap at 0x4007ff" },
		{ { { 0x1000, 0, 0x401000, 16, 16 }, { 0x1000, 0, 0x400000, 16, 0x2000 } },
		  "overlap at 0x401000" },
		{ { { 0x1000, 0, 0x400000, 16, 16 }, { 8191, 0, 0x500000, 2, 2 } },
		  "truncated: segment 1" },
		{ { { 0x1000, 0, 0x400000, 16, 16 }, { 0xfffffff0, 0, 0x500000, 32, 32 } },
		  "truncated: segment 1" },
		{ { { 0x1000, 0, 0x400000, 16, 15 } }, "segment 0 is larger in the file" },
		{ { { 0x1000, 0, 0xfffff000, 16, 0x1001 } }, "passes 4 GiB" },
		{ { { 0x1000, 0, 0xa0000, 16, 16 } }, "no free RAM" },
		{ { { 0x1000, 0, 0x1ffe000, 16, 0x10000 } }, "no free RAM" },
		{ { { 0x1000, 0, 0x400000, 16, 64u << 20 } }, "needs 64 MiB" },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		build32(rows[i].s, 2, rows[i].s[0].paddr);
		expect_refused(rows[i].why);
		build64(rows[i].s, 2, rows[i].s[0].paddr);
		expect_refused(rows[i].why);
	}
}

static void test_wrapping_sizes_of_64_bits(void)
{
	static const struct seg s[] = { { 0x1000, 0, ~0ull - 7, 8, 16 },
					{ ~0ull - 7, 0, 0x400000, 16, 16 },
					{ 0x1000, 0, 0x400000, 16, ~0ull } };
	static const char *const why[] = { "passes 4 GiB", "truncated", "passes 4 GiB" };

	for (u32 i = 0; i < 3; i++) {
		build64(&s[i], 1, s[i].paddr);
		expect_refused(why[i]);
	}
}

static void test_wrong_headers_are_named(void)
{
	static const struct seg s = { 0x1000, 0x400000, 0x400000, 16, 16 };
	Elf64_Ehdr *h = (void *)image;

	build64(&s, 1, 0x400010);
	expect_refused("entry point 0x400010");
	build64(&s, 1, 0x400000);
	h->e_machine = EM_AARCH64;
	expect_refused("not for x86");
	build64(&s, 1, 0x400000);
	h->e_ident[EI_DATA] = ELFDATA2MSB;
	expect_refused("not for x86");
	build64(&s, 1, 0x400000);
	h->e_type = ET_DYN;
	expect_refused("-no-pie");
	build64(&s, 1, 0x400000);
	h->e_phoff = ~0ull - 4;
	expect_refused("program headers end behind the file");
	build64(&s, 1, 0x400000);
	h->e_phentsize = 8;
	expect_refused("program headers");
	build64(&s, 1, 0x400000);
	h->e_phnum = 0;
	expect_refused("0 program headers");
	build64(&s, 1, 0x400000);
	h->e_phnum = 65;
	expect_refused("65 program headers");
}

TEST_MAIN(TEST(test_segments_arrive_whatever_lies_where), TEST(test_virtual_entry_is_translated),
	  TEST(test_wrong_segments_are_named), TEST(test_wrapping_sizes_of_64_bits),
	  TEST(test_wrong_headers_are_named))
