/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Multiboot 2 constants, for C and assembly: the header of an image (ours and a guest's) and the
 * boot information (what GRUB gives us and what we give a guest).
 *
 * Spec: Multiboot2 Specification 2.0, "OS image format", "Boot information format".
 */
#pragma once

/* clang-format off */

#define MB2H_MAGIC               0xe85250d6
#define MB2H_BOOT_MAGIC          0x36d76289          /* in EAX at entry */
#define MB2H_ARCH_I386           0
#define MB2H_SEARCH_LEN          32768
#define MB2H_LEN                 16                  /* magic, architecture, length, checksum */
#define MB2H_OPTIONAL            1                   /* flag of a tag: may be ignored */

/* Tags of the header. */
#define MB2H_END                 0
#define MB2H_REQUEST             1
#define MB2H_ADDRESS             2
#define MB2H_ENTRY               3
#define MB2H_CONSOLE             4
#define MB2H_FRAMEBUFFER         5
#define MB2H_MODULE_ALIGN        6
#define MB2H_EFI_BS              7
#define MB2H_EFI32_ENTRY         8
#define MB2H_EFI64_ENTRY         9
#define MB2H_RELOCATABLE         10
#define MB2H_TAGS                11

#define MB2H_CONSOLE_REQUIRED    1
#define MB2H_CONSOLE_TEXT        2

/* Where a relocatable image wants to be. */
#define MB2H_PREFER_NONE         0
#define MB2H_PREFER_HIGH         2

/* Tags of the boot information. */
#define MB2I_END                 0
#define MB2I_CMDLINE             1
#define MB2I_LOADER              2
#define MB2I_MODULE              3
#define MB2I_MEMINFO             4
#define MB2I_BOOTDEV             5
#define MB2I_MMAP                6
#define MB2I_VBE                 7
#define MB2I_FRAMEBUFFER         8
#define MB2I_ELF                 9
#define MB2I_APM                 10
#define MB2I_EFI32               11
#define MB2I_EFI64               12
#define MB2I_SMBIOS              13
#define MB2I_ACPI_OLD            14
#define MB2I_ACPI_NEW            15
#define MB2I_NETWORK             16
#define MB2I_EFI_MMAP            17
#define MB2I_EFI_BS              18
#define MB2I_EFI32_IH            19
#define MB2I_EFI64_IH            20
#define MB2I_LOAD_BASE           21
#define MB2I_TAGS                22

/* clang-format on */
