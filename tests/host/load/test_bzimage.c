/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * boot/load/bzimage.c: what Linux finds at its entry, wherever the boot loader put the images.
 * test_bzimage_refused.c has the files that are no kernel, test_bzimage_efi.c what Linux hears of
 * EFI.
 */
#include "tests/host/load/bz_sim.h"

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

TEST_MAIN(TEST(test_kernel_finds_what_the_protocol_promises),
	  TEST(test_any_placement_of_the_images), TEST(test_small_machine_moves_the_images_away),
	  TEST(test_initrd_limit_of_old_kernels), TEST(test_fixed_address_kernel),
	  TEST(test_random_headers_are_survived))
