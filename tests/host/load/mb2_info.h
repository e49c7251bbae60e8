/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a multiboot 2 guest of mb2_sim.h reads: the information by the structures as the Multiboot2
 * Specification 2.0 draws them. And the machine it may stand in, with EFI.
 */
#pragma once

#include "boot/load/multiboot2.h"
#include "tests/host/load/mb2_sim.h"

static void (*const builds[])(void) = { build_elf32, build_elf64, build_flat };

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

/* The @nth tag of @type; NULL: there is none. Checks the whole on the way. */
static inline const void *find(u32 type, u32 nth)
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

static inline void check_memory(void)
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

static inline void check_modules(u64 base)
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

static inline void check_strings(void)
{
	EXPECT_STREQ(kernel.cmdline, (const char *)find(1, 0) + 8);
	EXPECT_STREQ(in.loader ? in.loader : "Kensho", (const char *)find(2, 0) + 8);
	EXPECT_NULL(find(1, 1));
}

static inline void check_info(u64 base)
{
	check_strings();
	check_memory();
	check_modules(base);
}

static struct boot_efi machine_efi;

/* The firmware's map of the machine, which knows nothing of our region at 60 MiB. */
static inline void efi_machine(u64 kernel_pa, u32 desc_size)
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
