/* SPDX-License-Identifier: BSD-2-Clause */
/* Multiboot 1 images: the header, and the layout of the information structure. */
#pragma once

#include "core/lib/bits.h"
#include "core/lib/types.h"

#define MB1_SEARCH_LEN   8192u
#define MB1_HEADER_MAGIC 0x1badb002u
#define MB1_BOOT_MAGIC   0x2badb002u

/* Header flags. 0-15 are demands, 16 and above only information. */
#define MB1_HEADER_PAGE_ALIGN BIT32(0)
#define MB1_HEADER_MEMORY     BIT32(1)
#define MB1_HEADER_VIDEO      BIT32(2)
#define MB1_HEADER_ADDRESSES  BIT32(16)

/* Header offsets: the address fields are valid with MB1_HEADER_ADDRESSES. */
#define MB1_HEADER_FLAGS    4u
#define MB1_HEADER_ADDR     12u
#define MB1_LOAD_ADDR       16u
#define MB1_LOAD_END_ADDR   20u
#define MB1_BSS_END_ADDR    24u
#define MB1_ENTRY_ADDR      28u
#define MB1_HEADER_LEN      12u
#define MB1_HEADER_LEN_ADDR 32u

/* Information structure: flags and offsets. */
#define MB1_INFO_MEMORY     BIT32(0)
#define MB1_INFO_CMDLINE    BIT32(2)
#define MB1_INFO_MODULES    BIT32(3)
#define MB1_INFO_BOOTDEV    BIT32(1)
#define MB1_INFO_ELF        BIT32(5)
#define MB1_INFO_MMAP       BIT32(6)
#define MB1_INFO_LOADER     BIT32(9)
#define MB1_INFO_APM        BIT32(10)
#define MB1_INFO_SCREEN     BIT32(12)
#define MB1_INFO_FLAGS_OFF  0u
#define MB1_MEM_LOWER_OFF   4u
#define MB1_MEM_UPPER_OFF   8u
#define MB1_BOOTDEV_OFF     12u
#define MB1_CMDLINE_OFF     16u
#define MB1_MODS_COUNT_OFF  20u
#define MB1_MODS_ADDR_OFF   24u
#define MB1_ELF_OFF         28u /* num, size, addr, shndx */
#define MB1_MMAP_LENGTH_OFF 44u
#define MB1_MMAP_ADDR_OFF   48u
#define MB1_LOADER_NAME_OFF 64u
#define MB1_APM_OFF         68u
#define MB1_SCREEN_OFF      88u /* address (8), pitch, width, height, bits, type, colours */
#define MB1_INFO_LEN        120u
#define MB1_MODULE_LEN      16u /* start, end, string, reserved */
#define MB1_MMAP_ENTRY_LEN  24u /* size (of the rest: 20), base, length, type */

/* multiboot_find() - offset of the header in the first 8 KiB; ~0: none. */
u64 multiboot_find(const u8 *data, u64 len);
