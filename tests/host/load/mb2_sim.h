/* SPDX-License-Identifier: BSD-2-Clause */
/* A multiboot 2 guest for the loader tests: its header, tag by tag, in each kind of image. */
#pragma once

#include "tests/host/load/mb_sim.h"

#define MAGIC 0x36d76289u /* in EAX */

static u8 header[512] ALIGNED(8);
static u32 header_len;

static inline void header_begin(void)
{
	memset(header, 0, sizeof(header));
	header_len = 16;
}

static inline void header_tag(u32 type, u32 flags, u32 count, const u32 *words)
{
	u32 first[2] = { type | flags << 16, 8 + count * 4 };

	header_len = (header_len + 7) & ~7u;
	memcpy(header + header_len, first, sizeof(first));
	if (count != 0)
		memcpy(header + header_len + 8, words, count * 4);
	header_len += 8 + count * 4;
}

#define TAG(type, flags, ...) \
	header_tag(type, flags, sizeof((u32[]){ __VA_ARGS__ }) / 4, (u32[]){ __VA_ARGS__ })

/* The finished header goes to @at of the image. */
static inline void header_end(u32 at)
{
	u32 h[4] = { 0xe85250d6, 0 };

	header_tag(0, 0, 0, NULL);
	h[2] = header_len;
	h[3] = 0u - h[0] - h[1] - h[2];
	memcpy(header, h, sizeof(h));
	memcpy(image + at, header, header_len);
}

/* Sections that are loaded, and others that are not. */
#define SYMS 0x3018u
#define SECTIONS                                                                               \
	{                                                                                      \
		{ 0 },                                                                         \
			{ .sh_type = SHT_PROGBITS,                                             \
			  .sh_addr = BASE,                                                     \
			  .sh_offset = TEXT,                                                   \
			  .sh_size = CODE },                                                   \
			{ .sh_type = SHT_SYMTAB, .sh_offset = SYMS, .sh_size = 0x120 },        \
			{ .sh_type = SHT_STRTAB, .sh_offset = SYMS + 0x123, .sh_size = 0x77 }, \
			{ .sh_type = SHT_NOBITS, .sh_size = 0x1000000 },                       \
	}

#define ADD_SECTIONS(elf, shdr)                         \
	({                                              \
		static const shdr s_[] = SECTIONS;      \
		(elf)->e_shoff = 0x3800;                \
		(elf)->e_shentsize = sizeof(s_[0]);     \
		(elf)->e_shnum = ARRAY_SIZE(s_);        \
		(elf)->e_shstrndx = 3;                  \
		memcpy(image + 0x3800, s_, sizeof(s_)); \
	})

static inline void build_elf32(void)
{
	Elf32_Ehdr *h = mb_elf32();

	ADD_SECTIONS(h, Elf32_Shdr);
}

static inline void build_elf64(void)
{
	Elf64_Ehdr *h = mb_elf64(~0ull << 31);

	ADD_SECTIONS(h, Elf64_Shdr);
}

static inline void build_flat(void)
{
	mb_noise();
	TAG(2, 0, BASE + 0x20, BASE, BASE + CODE, BASE + BSS);
	TAG(3, 0, BASE + 0x10);
}

#define HEADER_AT (TEXT + 0x20)
