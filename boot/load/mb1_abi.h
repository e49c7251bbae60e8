/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 1 constants, for C and assembly: the header of an image and the boot information.
 *
 * Spec: Multiboot Specification 0.6.96, "OS image format", "Boot information format".
 */
#pragma once

/* clang-format off */

#define MB1_HEADER_MAGIC         0x1badb002
#define MB1_BOOT_MAGIC           0x2badb002 /* in EAX at entry */
#define MB1_SEARCH_LEN           8192

/* Header flags. 0-15 are demands, 16 and above only information. */
#define MB1_HEADER_PAGE_ALIGN    0x00000001
#define MB1_HEADER_MEMORY        0x00000002
#define MB1_HEADER_VIDEO         0x00000004
#define MB1_HEADER_ADDRESSES     0x00010000

/* Header offsets: the address fields are valid with MB1_HEADER_ADDRESSES. */
#define MB1_HEADER_FLAGS         4
#define MB1_HEADER_ADDR          12
#define MB1_LOAD_ADDR            16
#define MB1_LOAD_END_ADDR        20
#define MB1_BSS_END_ADDR         24
#define MB1_ENTRY_ADDR           28
#define MB1_HEADER_LEN           12
#define MB1_HEADER_LEN_ADDR      32

/* Information structure: flags and offsets. */
#define MB1_INFO_MEMORY          0x0001
#define MB1_INFO_BOOTDEV         0x0002
#define MB1_INFO_CMDLINE         0x0004
#define MB1_INFO_MODULES         0x0008
#define MB1_INFO_ELF             0x0020
#define MB1_INFO_MMAP            0x0040
#define MB1_INFO_LOADER          0x0200
#define MB1_INFO_APM             0x0400
#define MB1_INFO_SCREEN          0x1000
#define MB1_INFO_FLAGS_OFF       0
#define MB1_MEM_LOWER_OFF        4
#define MB1_MEM_UPPER_OFF        8
#define MB1_BOOTDEV_OFF          12
#define MB1_CMDLINE_OFF          16
#define MB1_MODS_COUNT_OFF       20
#define MB1_MODS_ADDR_OFF        24
#define MB1_ELF_OFF              28         /* num, size, addr, shndx */
#define MB1_MMAP_LENGTH_OFF      44
#define MB1_MMAP_ADDR_OFF        48
#define MB1_LOADER_NAME_OFF      64
#define MB1_APM_OFF              68
#define MB1_SCREEN_OFF           88         /* address (8), pitch, width, height, bits, type */
#define MB1_SCREEN_RGB           1          /* types */
#define MB1_SCREEN_TEXT          2
#define MB1_INFO_LEN             120
#define MB1_MODULE_LEN           16         /* start, end, string, reserved */
#define MB1_MMAP_ENTRY_LEN       24         /* size (of the rest: 20), base, length, type */

/* clang-format on */
