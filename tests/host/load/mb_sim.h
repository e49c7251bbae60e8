/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A multiboot guest of either version in the machine of load_sim.h: a program linked to BASE with a
 * large bss, as ELF or as what is behind an ELF header, and its modules.
 */
#pragma once

#include <elf.h>

#include "tests/host/load/load_sim.h"

#define BASE (4u << 20)
#define BSS  (3u << 20)
#define TEXT 0x1000u /* offset in the file */
#define CODE 0x2000u /* bytes of the file that are loaded */
#define MODS 6u

static u8 image[0x4000] ALIGNED(16);
static u32 image_len = sizeof(image);
static u8 bytes[MODS][0x20000];
static struct guest_image kernel, mods[MODS];
static struct load_input in;

/* Noise from TEXT on, in which no header stands by chance; zeroes below it. */
static inline void mb_noise(void)
{
	for (u32 i = 0; i < sizeof(image); i++)
		image[i] = (u8)test_rng() | 1;
	memset(image, 0, TEXT);
	image_len = sizeof(image);
}

/* ELF headers in front of the noise; the caller may add to the header that is returned. */
static inline Elf32_Ehdr *mb_elf32(void)
{
	Elf32_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_entry = BASE + 0x10,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 1,
	};
	Elf32_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = TEXT,
			 .p_vaddr = BASE,
			 .p_paddr = BASE,
			 .p_filesz = CODE,
			 .p_memsz = BSS };

	mb_noise();
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), &p, sizeof(p));
	return (void *)image;
}

/* The same in the other class, linked to run at @vaddr. */
static inline Elf64_Ehdr *mb_elf64(u64 vaddr)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_entry = vaddr + 0x10,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 1,
	};
	Elf64_Phdr p = { .p_type = PT_LOAD,
			 .p_offset = TEXT,
			 .p_vaddr = vaddr,
			 .p_paddr = BASE,
			 .p_filesz = CODE,
			 .p_memsz = BSS };

	mb_noise();
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), &p, sizeof(p));
	return (void *)image;
}

static inline void machine(u64 kernel_pa)
{
	sim_machine(64);
	kernel = sim_image(kernel_pa, image, image_len, "arg1 arg2");
	in = (struct load_input){ .kernel = &kernel, .memory = &sim_map, .module = mods };
}

/* One more module, @len random bytes at @pa. */
static inline void module_add(u64 pa, u64 len)
{
	static char text[MODS][20];
	u32 i = in.module_count++;

	snprintf(text[i], sizeof(text[i]), "module %u", i);
	for (u64 k = 0; k < len; k++)
		bytes[i][k] = (u8)test_rng();
	mods[i] = sim_image(pa, bytes[i], len, text[i]);
}

static inline void expect_load(void)
{
	sim_expect_load(&in);
}

/* The image as it stands is refused, with @text in the reason. */
static inline void expect_refused(const char *text)
{
	machine(0x200000);
	sim_expect_refused(&in, text);
}

/* The program is at @base, its bss is clear, and it starts with @magic in EAX. */
static inline void check_image(u64 base, u32 magic)
{
	u64 dirty = 0;

	EXPECT_EQ(ENTRY_PROTECTED32, sim_plan.mode);
	EXPECT_EQ(magic, sim_plan.rax);
	EXPECT_EQ(base + 0x10, sim_plan.rip);
	EXPECT_MEMEQ(image + TEXT, sim + base, CODE);
	for (u64 i = CODE; i < BSS; i++)
		dirty += sim[base + i] != 0;
	EXPECT_EQ(0, dirty);
}
