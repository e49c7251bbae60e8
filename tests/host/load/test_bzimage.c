/* SPDX-License-Identifier: BSD-2-Clause */
/* boot/load/bzimage.c: what Linux finds at its entry, read through the kernel's own headers. */
#include <asm/bootparam.h>

#include "tests/host/load/load_sim.h"

#include "boot/load/bootparam.h"

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

/* The offsets that the loader uses are those of the kernel's own structures. */
#define SAME_PLACE(offset, member) \
	static_assert((offset) == offsetof(struct boot_params, member), #member)
SAME_PLACE(BP_ORIG_X, screen_info.orig_x);
SAME_PLACE(BP_ORIG_Y, screen_info.orig_y);
SAME_PLACE(BP_VIDEO_MODE, screen_info.orig_video_mode);
SAME_PLACE(BP_VIDEO_COLS, screen_info.orig_video_cols);
SAME_PLACE(BP_VIDEO_EGA_BX, screen_info.orig_video_ega_bx);
SAME_PLACE(BP_VIDEO_LINES, screen_info.orig_video_lines);
SAME_PLACE(BP_VIDEO_IS_VGA, screen_info.orig_video_isVGA);
SAME_PLACE(BP_VIDEO_POINTS, screen_info.orig_video_points);
SAME_PLACE(BP_ACPI_RSDP_ADDR, acpi_rsdp_addr);
SAME_PLACE(BP_EXT_RAMDISK_IMAGE, ext_ramdisk_image);
SAME_PLACE(BP_EXT_RAMDISK_SIZE, ext_ramdisk_size);
SAME_PLACE(BP_EXT_CMD_LINE_PTR, ext_cmd_line_ptr);
SAME_PLACE(BP_EFI_SIGNATURE, efi_info.efi_loader_signature);
SAME_PLACE(BP_EFI_SYSTAB, efi_info.efi_systab);
SAME_PLACE(BP_EFI_MEMDESC_SIZE, efi_info.efi_memdesc_size);
SAME_PLACE(BP_EFI_MEMDESC_VERSION, efi_info.efi_memdesc_version);
SAME_PLACE(BP_EFI_MEMMAP, efi_info.efi_memmap);
SAME_PLACE(BP_EFI_MEMMAP_SIZE, efi_info.efi_memmap_size);
SAME_PLACE(BP_EFI_SYSTAB_HI, efi_info.efi_systab_hi);
SAME_PLACE(BP_EFI_MEMMAP_HI, efi_info.efi_memmap_hi);
SAME_PLACE(BP_E820_ENTRIES, e820_entries);
SAME_PLACE(BP_E820_TABLE, e820_table);
SAME_PLACE(BP_SETUP_SECTS, hdr.setup_sects);
SAME_PLACE(BP_SYSSIZE, hdr.syssize);
SAME_PLACE(BP_BOOT_FLAG, hdr.boot_flag);
SAME_PLACE(BP_JUMP, hdr.jump);
SAME_PLACE(BP_HEADER, hdr.header);
SAME_PLACE(BP_VERSION, hdr.version);
SAME_PLACE(BP_KERNEL_VERSION, hdr.kernel_version);
SAME_PLACE(BP_TYPE_OF_LOADER, hdr.type_of_loader);
SAME_PLACE(BP_LOADFLAGS, hdr.loadflags);
SAME_PLACE(BP_CODE32_START, hdr.code32_start);
SAME_PLACE(BP_RAMDISK_IMAGE, hdr.ramdisk_image);
SAME_PLACE(BP_RAMDISK_SIZE, hdr.ramdisk_size);
SAME_PLACE(BP_CMD_LINE_PTR, hdr.cmd_line_ptr);
SAME_PLACE(BP_INITRD_ADDR_MAX, hdr.initrd_addr_max);
SAME_PLACE(BP_KERNEL_ALIGNMENT, hdr.kernel_alignment);
SAME_PLACE(BP_RELOCATABLE, hdr.relocatable_kernel);
SAME_PLACE(BP_XLOADFLAGS, hdr.xloadflags);
SAME_PLACE(BP_CMDLINE_SIZE, hdr.cmdline_size);
SAME_PLACE(BP_SETUP_DATA, hdr.setup_data);
SAME_PLACE(BP_PREF_ADDRESS, hdr.pref_address);
SAME_PLACE(BP_INIT_SIZE, hdr.init_size);
static_assert(BP_SIZE == sizeof(struct boot_params), "zero page");
static_assert(BP_E820_ENTRY_LEN == sizeof(struct boot_e820_entry), "e820 entry");
static_assert(BP_E820_MAX == E820_MAX_ENTRIES_ZEROPAGE, "e820 table");
static_assert(LOADFLAG_LOADED_HIGH == LOADED_HIGH, "loadflags");
static_assert(BP_XLF_KERNEL_64 == XLF_KERNEL_64, "xloadflags");
static_assert(BP_XLF_ABOVE_4G == XLF_CAN_BE_LOADED_ABOVE_4G, "xloadflags");

/* The remainder as the boot protocol words it, a bit at a time. */
static u32 crc_slow(const u8 *p, u64 len)
{
	u32 crc = ~0u;

	for (u64 i = 0; i < len; i++) {
		crc ^= p[i];
		for (u32 bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0xedb88320u : 0);
	}
	return crc;
}

static void seal(void)
{
	u32 crc = crc_slow(image, sizeof(image) - 4);

	memcpy(image + sizeof(image) - 4, &crc, 4);
}

static struct setup_header *header(void)
{
	return (struct setup_header *)(image + BP_SETUP_SECTS);
}

/* A plausible image with an EFI stub's PE header, as Linux 6.1 builds it. */
static void build(void)
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

static void machine(u32 mib, u64 kernel_pa, u64 initrd_pa, u64 initrd_len)
{
	sim_machine(mib);
	kernel = sim_image(kernel_pa, image, sizeof(image), "console=ttyS0 quiet");
	in = (struct load_input){ .kernel = &kernel, .memory = &sim_map, .rsdp_pa = 0xf6b40 };
	if (initrd_len == 0)
		return;
	initrd = sim_image(initrd_pa, initrd_bytes, initrd_len, "");
	in.initrd = &initrd;
}

static void expect_load(void)
{
	err_t err = sim_load(&in);

	if (err != ERR_NONE)
		print_error("%s\n", sim_plan.why);
	EXPECT_EQ(ERR_NONE, err);
	sim_expect_only_ram_written();
}

static void expect_refused(const char *text)
{
	err_t err = sim_load(&in);

	EXPECT_NE(ERR_NONE, err);
	EXPECT_CONTAINS(sim_plan.why, text);
	EXPECT_LE(strlen(sim_plan.why), sizeof(sim_plan.why) - 2); /* whole sentence */
}

/* 4-level walk of the plan's page tables; ~0: not mapped. */
static u64 translate(u64 va)
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
static void check_entry_state(void)
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

static void test_kernel_finds_what_the_protocol_promises(void)
{
	const struct boot_params *bp;

	build();
	machine(96, 0x300000, 0x400000, sizeof(initrd_bytes));
	in.screen = &(struct boot_framebuffer){ .kind = FRAMEBUFFER_NONE };
	expect_load();
	check_entry_state();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
	EXPECT_EQ(0x400000, bp->hdr.ramdisk_image); /* it could stay */
	EXPECT_EQ(3, bp->screen_info.orig_video_mode);
	EXPECT_EQ(80, bp->screen_info.orig_video_cols);
	EXPECT_EQ(25, bp->screen_info.orig_video_lines);
	EXPECT_EQ(1, bp->screen_info.orig_video_isVGA);
	for (u32 i = 0; i < sim_plan.count; i++) {
		if (sim_plan.copy[i].dst == sim_plan.rsi)
			EXPECT_TRUE(sim_plan.cursor == sim_plan.copy[i].blob + BP_ORIG_X);
	}
	EXPECT_EQ(sim_map.count, bp->e820_entries);
	for (u32 i = 0; i < sim_map.count; i++) {
		EXPECT_EQ(sim_map.e[i].base, bp->e820_table[i].addr);
		EXPECT_EQ(sim_map.e[i].len, bp->e820_table[i].size);
		EXPECT_EQ(sim_map.e[i].type, bp->e820_table[i].type);
	}
	EXPECT_STREQ("Linux bzImage 6.1.0-test, 64-bit boot protocol 2.15", sim_plan.what);
}

/* Wherever the boot loader put the images, also over the kernel's own place. */
static void test_any_placement_of_the_images(void)
{
	for (u32 i = 0; i < 60; i++) {
		u32 mib = 40 + (u32)(test_rng() % 56);
		u64 kernel_pa = (1 + test_rng() % (mib - 8)) << 20;
		u64 initrd_pa = (1 + test_rng() % (mib - 8)) << 20;

		build();
		for (u32 k = 0; k < sizeof(initrd_bytes); k++)
			initrd_bytes[k] = (u8)test_rng();
		if (initrd_pa == kernel_pa)
			initrd_pa = kernel_pa ^ (1 << 20);
		if (!e820_is_type((sim_machine(mib), &sim_map), kernel_pa, 1 << 20, E820_RAM) ||
		    !e820_is_type(&sim_map, initrd_pa, 1 << 20, E820_RAM))
			continue;
		machine(mib, kernel_pa, initrd_pa,
			test_rng() % 4 == 0 ? 0 : 1 + test_rng() % 0x30000);
		expect_load();
		check_entry_state();
	}
}

/* RAM for exactly one kernel above its preferred address: the images there must make room. */
static void test_small_machine_moves_the_images_away(void)
{
	build();
	machine(31, 20u << 20, 22u << 20, sizeof(initrd_bytes));
	expect_load();
	check_entry_state();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
}

static void test_initrd_limit_of_old_kernels(void)
{
	const struct boot_params *bp;

	build();
	header()->xloadflags = XLF_KERNEL_64;
	header()->initrd_addr_max = 0xffffff;
	seal();
	machine(96, 0x300000, 40u << 20, sizeof(initrd_bytes));
	expect_load();
	check_entry_state();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_LE(bp->hdr.ramdisk_image + sizeof(initrd_bytes) - 1, 0xffffff);
}

static void test_fixed_address_kernel(void)
{
	build();
	header()->relocatable_kernel = 0;
	seal();
	machine(96, PREF + 0x1000, PREF + (2u << 20), sizeof(initrd_bytes));
	expect_load();
	check_entry_state();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
	machine(20, 0x300000, 0, 0);
	expect_refused("too large");
}

static void test_every_truncation_is_refused(void)
{
	build();
	machine(96, 0x300000, 0, 0);
	for (u64 len = BP_VERSION + 2; len < sizeof(image); len += 1 + test_rng() % 97) {
		kernel.len = len;
		expect_refused(len > sizeof(image) - BP_PARAGRAPH ? "CRC" : "truncated");
	}
}

/* memtest86+ 6.10: syssize is in paragraphs, and the file ends in the middle of the last one. */
static void test_image_ends_inside_its_last_paragraph(void)
{
	for (u32 cut = 0; cut <= BP_PARAGRAPH; cut++) {
		build();
		memcpy(image + RELEASE + 0x200, "Memtest86+ v6.10", 17); /* no Linux: no CRC-32 */
		machine(96, 0x300000, 0, 0);
		kernel.len = sizeof(image) - cut;
		if (cut == BP_PARAGRAPH) {
			expect_refused("truncated");
			continue;
		}
		/* What lies behind the file is not the kernel's. */
		memset(sim + 0x300000 + kernel.len, 0xee, 64);
		expect_load();
		EXPECT_MEMEQ(image + SETUP_LEN, sim + PREF, CODE_LEN - cut);
	}
}

/* Fields that Secure Boot signing changes, and the release that says whether there is a CRC. */
static bool is_not_covered(u64 at)
{
	return (at >= PE + 24 + 64 && at < PE + 24 + 68) ||
	       (at >= PE + 24 + 112 + 32 && at < PE + 24 + 112 + 40) ||
	       (at >= RELEASE + 0x200 && at < RELEASE + 0x210) ||
	       (at >= BP_KERNEL_VERSION && at < BP_KERNEL_VERSION + 2);
}

static void test_every_flipped_bit_is_refused(void)
{
	for (u32 i = 0; i < 400; i++) {
		u64 at = test_rng() % (i % 2 != 0 ? SETUP_LEN : sizeof(image));
		err_t err;

		if (is_not_covered(at))
			continue;
		build();
		image[at] ^= (u8)(1u << test_rng() % 8);
		machine(96, 0x300000, 0, 0);
		err = load_plan_guest(&in, &sim_plan);
		EXPECT_NE(ERR_NONE, err);
	}
}

static void test_signed_and_newer_kernels_are_accepted(void)
{
	build();
	memset(image + PE + 24 + 64, 0x5a, 4);       /* PE checksum */
	memset(image + PE + 24 + 112 + 32, 0xa5, 8); /* certificate table */
	machine(96, 0x300000, 0, 0);
	expect_load();
	image[SETUP_LEN + 1000] ^= 1;
	machine(96, 0x300000, 0, 0);
	expect_refused("CRC-32 is wrong");
	/* Linux 6.15 has no CRC any more. */
	memcpy(image + RELEASE + 0x200, "6.15.3", 6);
	machine(96, 0x300000, 0, 0);
	expect_load();
	memcpy(image + RELEASE + 0x200, "7.0.0 ", 6);
	machine(96, 0x300000, 0, 0);
	expect_load();
	memcpy(image + RELEASE + 0x200, "6.14.9", 6);
	machine(96, 0x300000, 0, 0);
	expect_refused("CRC-32 is wrong");
}

static void test_refusals_name_the_remedy(void)
{
	static char text[3000];

	build();
	header()->xloadflags = 0;
	machine(96, 0x300000, 0, 0);
	expect_refused("no 64-bit entry");
	build();
	header()->version = 0x205;
	machine(96, 0x300000, 0, 0);
	expect_refused("boot protocol 2.05");
	build();
	header()->init_size = 100u << 20;
	seal();
	machine(96, 0x300000, 0, 0);
	expect_refused("need 100 + 0 MiB");
	expect_refused("has 94 MiB");
	build();
	machine(32, 0x300000, 0x400000, sizeof(initrd_bytes));
	initrd.len = 20u << 20; /* as if it were that large */
	expect_refused("need 8 + 20 MiB");
	build();
	machine(96, 0x300000, 0, 0);
	memset(text, 'x', sizeof(text) - 1);
	text[2048] = '\0';
	kernel.cmdline = text;
	expect_refused("2048 characters");
	text[2047] = '\0';
	expect_load();
	header()->cmdline_size = 255;
	seal();
	machine(96, 0x300000, 0, 0);
	kernel.cmdline = text;
	expect_refused("takes 255");
}

static void test_random_headers_are_survived(void)
{
	for (u32 i = 0; i < 3000; i++) {
		err_t err;

		build();
		memcpy(image + RELEASE + 0x200, "6.15", 5); /* past the CRC */
		for (u32 k = 0; k < 6; k++)
			image[BP_SETUP_SECTS + test_rng() % 0x80] = (u8)test_rng();
		machine(40, 0x300000, 0x400000, test_rng() % sizeof(initrd_bytes));
		err = load_plan_guest(&in, &sim_plan);
		if (err == ERR_NONE)
			load_execute(&sim_plan);
	}
}

/* --- UEFI ----------------------------------------------------------------------------------------
 */

static struct boot_efi efi;
static struct e820_map idle;

/* A UEFI machine of 96 MiB whose low half was boot services'; our region is not in the firmware's
 * map, only in the guest's. */
static void efi_machine(void)
{
	static const struct efi_descriptor d[] = {
		{ EFI_CONVENTIONAL, 0, 0, 0, 0xa0, 0xf },
		{ EFI_BOOT_SERVICES_DATA, 0, 0x100000, 0, 0x2f00, 0xf },
		{ EFI_CONVENTIONAL, 0, 0x3000000, 0, 0x2e00, 0xf },
		{ EFI_RUNTIME_SERVICES_CODE, 0, 0x5e00000, 0, 0x100, 0x800000000000000f },
		{ EFI_ACPI_RECLAIM, 0, 0x5f00000, 0, 0x100, 0xf },
	};

	build();
	machine(96, 0x300000, 0x400000, sizeof(initrd_bytes));
	efi = (struct boot_efi){ .present = true,
				 .is_64bit = true,
				 .systab_pa = 0x1234567890,
				 .map = { .desc_size = 48, .desc_version = 1, .count = 5 } };
	memcpy(efi.map.d, d, sizeof(d));
	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&efi.map, false, &sim_map));
	EXPECT_EQ(ERR_NONE, efi_map_to_e820(&efi.map, true, &idle));
	EXPECT_EQ(ERR_NONE, e820_reserve(&sim_map, 0x5000000, 0x400000, E820_RESERVED));
	EXPECT_EQ(ERR_NONE, e820_reserve(&idle, 0x5000000, 0x400000, E820_RESERVED));
	in.efi = &efi;
	in.idle = &idle;
}

/* The type of the page at @pa by what the kernel reads; ~0: no descriptor. */
static u32 type_seen_at(const struct efi_info *ei, u64 pa)
{
	u32 found = ~0u;

	for (u32 at = 0; at < ei->efi_memmap_size; at += ei->efi_memdesc_size) {
		struct efi_descriptor d;

		memcpy(&d, sim + ei->efi_memmap + at, sizeof(d));
		if (pa >= d.pa && pa - d.pa < d.pages << 12) {
			EXPECT_EQ(~0u, found); /* descriptors do not overlap */
			found = d.type;
		}
	}
	return found;
}

static void test_linux_is_told_of_efi(void)
{
	const struct boot_params *bp;
	struct efi_info info, *ei = &info;
	u64 zero_page;

	efi_machine();
	expect_load();
	check_entry_state();
	bp = (const void *)(sim + sim_plan.rsi);
	zero_page = sim_plan.rsi;
	info = bp->efi_info;
	EXPECT_MEMEQ("EL64", &ei->efi_loader_signature, 4);
	EXPECT_EQ(0x34567890, ei->efi_systab);
	EXPECT_EQ(0x12, ei->efi_systab_hi);
	EXPECT_EQ(48, ei->efi_memdesc_size);
	EXPECT_EQ(1, ei->efi_memdesc_version);
	EXPECT_EQ(0, ei->efi_memmap_hi);
	EXPECT_EQ(0, ei->efi_memmap_size % 48);
	EXPECT_EQ(EFI_BOOT_SERVICES_DATA, type_seen_at(ei, 0x100000));
	EXPECT_EQ(EFI_CONVENTIONAL, type_seen_at(ei, 0x4fff000));
	for (u64 pa = 0x5000000; pa < 0x5400000; pa += 4096)
		EXPECT_EQ(EFI_RESERVED, type_seen_at(ei, pa));
	EXPECT_EQ(EFI_CONVENTIONAL, type_seen_at(ei, 0x5400000));
	EXPECT_EQ(EFI_RUNTIME_SERVICES_CODE, type_seen_at(ei, 0x5e00000));
	/* KASLR takes conventional memory: not under what it needs later. */
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, zero_page));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, bp->hdr.cmd_line_ptr));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, ei->efi_memmap));
	EXPECT_EQ(EFI_LOADER_DATA, type_seen_at(ei, ei->efi_memmap + ei->efi_memmap_size - 1));
	/* Both maps call the same pages RAM. */
	for (u64 pa = 0; pa < 96u << 20; pa += 4096) {
		u32 type = type_seen_at(ei, pa);
		bool ram = type >= EFI_LOADER_CODE && type <= EFI_BOOT_SERVICES_DATA;

		EXPECT_EQ(e820_is_type(&sim_map, pa, 4096, E820_RAM),
			  ram || type == EFI_CONVENTIONAL);
	}
}

/* Faulty firmware comes back to its boot services: nothing of ours goes there. */
static void test_boot_services_memory_is_the_last_choice(void)
{
	efi_machine();
	expect_load();
	EXPECT_GE(sim_plan.rip, 0x3000000);
	EXPECT_GE(sim_plan.rsi, 0x3000000);
	in.idle = NULL;
	expect_load();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
	/* No other place: better there than not at all. */
	efi_machine();
	EXPECT_EQ(ERR_NONE, e820_reserve(&idle, 0x3000000, 0x2e00000, E820_RESERVED));
	expect_load();
	EXPECT_EQ(PREF + 0x200, sim_plan.rip);
}

static void test_no_efi_information_without_a_map(void)
{
	const struct boot_params *bp;
	static const u8 none[32];
	struct efi_info info;

	efi_machine();
	efi.map.count = 0;
	expect_load();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_MEMEQ(none, &bp->efi_info, 32);
	efi_machine();
	efi.is_64bit = false;
	expect_load();
	bp = (const void *)(sim + sim_plan.rsi);
	EXPECT_MEMEQ("EL32", &bp->efi_info.efi_loader_signature, 4);
	/* As many descriptors as there can be: all of them arrive, or none. */
	for (u32 count = EFI_MAP_MAX - 8; count <= EFI_MAP_MAX; count++) {
		efi_machine();
		efi.map.desc_size = EFI_DESC_SIZE_MAX;
		for (u32 i = 5; i < count; i++)
			efi.map.d[i] = (struct efi_descriptor){
				EFI_RUNTIME_SERVICES_DATA, 0, 0x100000000 + i * 0x2000ull, 0, 1, 0xf
			};
		efi.map.count = count;
		expect_load();
		bp = (const void *)(sim + sim_plan.rsi);
		info = bp->efi_info;
		if (info.efi_memmap_size != 0)
			EXPECT_EQ(EFI_RUNTIME_SERVICES_DATA,
				  type_seen_at(&info, 0x100000000 + (count - 1) * 0x2000ull));
		EXPECT_EQ(count <= EFI_MAP_MAX - 4, info.efi_memmap_size != 0);
	}
}

TEST_MAIN(TEST(test_linux_is_told_of_efi), TEST(test_boot_services_memory_is_the_last_choice),
	  TEST(test_no_efi_information_without_a_map),
	  TEST(test_kernel_finds_what_the_protocol_promises),
	  TEST(test_any_placement_of_the_images), TEST(test_small_machine_moves_the_images_away),
	  TEST(test_initrd_limit_of_old_kernels), TEST(test_fixed_address_kernel),
	  TEST(test_every_truncation_is_refused), TEST(test_image_ends_inside_its_last_paragraph),
	  TEST(test_every_flipped_bit_is_refused), TEST(test_signed_and_newer_kernels_are_accepted),
	  TEST(test_refusals_name_the_remedy), TEST(test_random_headers_are_survived))
