/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Linux/x86 boot protocol: offsets in the image's setup header and in the "zero page". They are the
 * same in both. Source: Documentation/arch/x86/boot.rst and zero-page.rst; the host test compares
 * them with the kernel's own <asm/bootparam.h>.
 */
#pragma once

#define BP_SIZE 4096u

/* struct screen_info */
#define BP_ORIG_X       0x000u
#define BP_ORIG_Y       0x001u
#define BP_VIDEO_MODE   0x006u
#define BP_VIDEO_COLS   0x007u
#define BP_VIDEO_EGA_BX 0x00au
#define BP_VIDEO_LINES  0x00eu
#define BP_VIDEO_IS_VGA 0x00fu
#define BP_VIDEO_POINTS 0x010u
#define BP_LFB_WIDTH    0x012u
#define BP_LFB_HEIGHT   0x014u
#define BP_LFB_DEPTH    0x016u
#define BP_LFB_BASE     0x018u
#define BP_LFB_SIZE     0x01cu
#define BP_LFB_LINELEN  0x024u
#define BP_RED_SIZE     0x026u
#define BP_RED_POS      0x027u
#define BP_GREEN_SIZE   0x028u
#define BP_GREEN_POS    0x029u
#define BP_BLUE_SIZE    0x02au
#define BP_BLUE_POS     0x02bu
#define BP_RSVD_SIZE    0x02cu
#define BP_RSVD_POS     0x02du
#define BP_PAGES        0x032u
#define BP_CAPABILITIES 0x036u
#define BP_EXT_LFB_BASE 0x03au

/* BP_VIDEO_IS_VGA */
#define BP_VIDEO_TYPE_VLFB  0x23u /* VESA, linear */
#define BP_VIDEO_TYPE_EFI   0x70u
#define BP_VIDEO_64BIT_BASE 0x02u

#define BP_ACPI_RSDP_ADDR    0x070u
#define BP_EXT_RAMDISK_IMAGE 0x0c0u
#define BP_EXT_RAMDISK_SIZE  0x0c4u
#define BP_EXT_CMD_LINE_PTR  0x0c8u
#define BP_E820_ENTRIES      0x1e8u

/* struct efi_info */
#define BP_EFI_SIGNATURE       0x1c0u
#define BP_EFI_SYSTAB          0x1c4u
#define BP_EFI_MEMDESC_SIZE    0x1c8u
#define BP_EFI_MEMDESC_VERSION 0x1ccu
#define BP_EFI_MEMMAP          0x1d0u
#define BP_EFI_MEMMAP_SIZE     0x1d4u
#define BP_EFI_SYSTAB_HI       0x1d8u
#define BP_EFI_MEMMAP_HI       0x1dcu
#define BP_EFI_SIGNATURE_64    0x34364c45u /* "EL64" */
#define BP_EFI_SIGNATURE_32    0x32334c45u /* "EL32" */

#define BP_E820_TABLE     0x2d0u
#define BP_E820_ENTRY_LEN 20u
#define BP_E820_MAX       128u

/* struct setup_header */
#define BP_SETUP_SECTS      0x1f1u
#define BP_SYSSIZE          0x1f4u /* paragraphs of 16 bytes, rounded up */
#define BP_PARAGRAPH        16u
#define BP_BOOT_FLAG        0x1feu
#define BP_JUMP             0x200u
#define BP_HEADER           0x202u
#define BP_VERSION          0x206u
#define BP_KERNEL_VERSION   0x20eu
#define BP_TYPE_OF_LOADER   0x210u
#define BP_LOADFLAGS        0x211u
#define BP_CODE32_START     0x214u
#define BP_RAMDISK_IMAGE    0x218u
#define BP_RAMDISK_SIZE     0x21cu
#define BP_CMD_LINE_PTR     0x228u
#define BP_INITRD_ADDR_MAX  0x22cu
#define BP_KERNEL_ALIGNMENT 0x230u
#define BP_RELOCATABLE      0x234u
#define BP_XLOADFLAGS       0x236u
#define BP_CMDLINE_SIZE     0x238u
#define BP_SETUP_DATA       0x250u
#define BP_PREF_ADDRESS     0x258u
#define BP_INIT_SIZE        0x260u
#define BP_HEADER_END_MAX   0x290u

#define BP_MAGIC_HDRS        0x53726448u /* "HdrS" */
#define BP_MAGIC_BOOT_FLAG   0xaa55u
#define BP_LOADER_UNDEFINED  0xffu
#define LOADFLAG_LOADED_HIGH 0x01u
#define BP_XLF_KERNEL_64     0x01u
#define BP_XLF_ABOVE_4G      0x02u

/* 64-bit entry: offset from the start of the protected-mode code. */
#define BZIMAGE_ENTRY_64 0x200u

#define LINUX_BOOT_CS 0x10u
#define LINUX_BOOT_DS 0x18u
