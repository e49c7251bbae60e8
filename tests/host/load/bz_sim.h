/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A bzImage as Linux 6.1 builds it, and an initrd, in the machine of load_sim.h; what its kernel
 * finds at the entry is read through the kernel's own headers.
 */
#pragma once

#include <asm/bootparam.h>

#include "boot/load/bootparam.h"
#include "tests/host/load/load_sim.h"

#define SETUP_LEN 2048u
#define CODE_LEN  0x3000u
#define PREF      (16u << 20)
#define INIT_SIZE (8u << 20)
#define PE        0x40u
#define RELEASE   0x300u

static u8 image[SETUP_LEN + CODE_LEN];
static u8 initrd_bytes[0x30000];
static struct guest_image kernel, initrd;
static struct load_input in;

/* The remainder as the boot protocol words it, a bit at a time. */
static inline u32 crc_slow(const u8 *p, u64 len)
{
	u32 crc = ~0u;

	for (u64 i = 0; i < len; i++) {
		crc ^= p[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return crc;
}

static inline void seal(void)
{
	u32 crc = crc_slow(image, sizeof(image) - 4);

	memcpy(image + sizeof(image) - 4, &crc, 4);
}

static inline struct setup_header *header(void)
{
	return (struct setup_header *)(image + BP_SETUP_SECTS);
}

/* A plausible image with an EFI stub's PE header, as Linux 6.1 builds it. */
static inline void build(void)
{
	struct setup_header *h = header();

	for (u32 i = 0; i < sizeof(image); i++)
		image[i] = (u8)(i < SETUP_LEN ? 0 : test_rng());
	memcpy(image, "MZ", 2);
	image[0x3c] = PE;
	memcpy(image + PE, "PE\0\0", 4);
	memcpy(image + RELEASE + 0x200, "6.1.0-test (me@host) #1", 24);
	*h = (struct setup_header){
		.setup_sects = SETUP_LEN / 512 - 1,
		.syssize = CODE_LEN / 16,
		.boot_flag = 0xaa55,
		.jump = 0x66eb,
		.header = 0x53726448,
		.version = 0x20f,
		.kernel_version = RELEASE,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 2u << 20,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.pref_address = PREF,
		.init_size = INIT_SIZE,
	};
	seal();
}

static inline void machine(u32 mib, u64 kernel_pa, u64 initrd_pa, u64 initrd_len)
{
	sim_machine(mib);
	kernel = sim_image(kernel_pa, image, sizeof(image), "console=ttyS0 quiet");
	in = (struct load_input){ .kernel = &kernel, .memory = &sim_map, .rsdp_pa = 0xf6b40 };
	if (initrd_len == 0)
		return;
	initrd = sim_image(initrd_pa, initrd_bytes, initrd_len, "");
	in.initrd = &initrd;
}

static inline void expect_load(void)
{
	sim_expect_load(&in);
}

static inline void expect_refused(const char *text)
{
	sim_expect_refused(&in, text);
}

/* 4-level walk of the plan's page tables; ~0: not mapped. */
static inline u64 translate(u64 va)
{
	u64 table = sim_plan.cr3;

	for (u32 shift = 39; shift >= 21; shift -= 9) {
		u64 e;

		memcpy(&e, sim + table + (va >> shift & 511) * 8, 8);
		if ((e & 1) == 0)
			return ~0ull;
		if ((e & 0x80) != 0)
			return (e & 0x000fffffffe00000ull) | (va & ((1ull << shift) - 1));
		table = e & 0x000ffffffffff000ull;
	}
	return ~0ull;
}

/* Everything the 64-bit boot protocol promises the kernel. */
static inline void check_entry_state(void)
{
	const struct boot_params *bp = (const void *)(sim + sim_plan.rsi);
	u64 load = sim_plan.rip - 0x200;
	u64 gdt[4];
	u64 ramdisk = bp->hdr.ramdisk_image | (u64)bp->ext_ramdisk_image << 32;

	EXPECT_EQ(ENTRY_LONG64, sim_plan.mode);
	EXPECT_EQ(load, bp->hdr.code32_start);
	EXPECT_GE(load, header()->pref_address);
	EXPECT_EQ(0, load % header()->kernel_alignment);
	EXPECT_TRUE(e820_is_type(&sim_map, load, header()->init_size, E820_RAM));
	EXPECT_MEMEQ(image + SETUP_LEN, sim + load, CODE_LEN);
	EXPECT_EQ(0xff, bp->hdr.type_of_loader);
	EXPECT_TRUE((bp->hdr.loadflags & LOADED_HIGH) != 0);
	EXPECT_EQ(0x53726448, bp->hdr.header);
	EXPECT_EQ(0, bp->sentinel);
	EXPECT_EQ(0, bp->hdr.setup_data);
	EXPECT_EQ(in.rsdp_pa, bp->acpi_rsdp_addr);
	EXPECT_EQ(0, bp->ext_cmd_line_ptr);
	EXPECT_STREQ(kernel.cmdline, (const char *)sim + bp->hdr.cmd_line_ptr);
	EXPECT_EQ(in.initrd != NULL ? initrd.len : 0, bp->hdr.ramdisk_size);
	if (in.initrd != NULL) {
		EXPECT_MEMEQ(initrd_bytes, sim + ramdisk, initrd.len);
		EXPECT_TRUE(ramdisk + initrd.len <= load || ramdisk >= load + header()->init_size);
	}
	for (u64 va = 0; va < 4ull << 30; va += 0x1fffff)
		EXPECT_EQ(va, translate(va));
	EXPECT_EQ(31, sim_plan.gdt_limit);
	memcpy(gdt, sim + sim_plan.gdt_base, sizeof(gdt));
	EXPECT_EQ(0x00af9b000000ffffull, gdt[2]);
	EXPECT_EQ(0x00cf93000000ffffull, gdt[3]);
}
