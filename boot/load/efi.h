/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UEFI firmware after boot services have ended: its memory map and system table. Pure. Spec: UEFI
 * 2.10, "EFI_BOOT_SERVICES.GetMemoryMap()", "EFI System Table".
 */
#pragma once

#include "boot/acpi/acpi.h"
#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/e820.h"

#define EFI_MAP_MAX       1024u
#define EFI_DESC_SIZE_MAX 96u /* real firmware: 48 */

/* EFI_MEMORY_TYPE */
enum efi_memory_type {
	EFI_RESERVED = 0,
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_SERVICES_CODE = 3,
	EFI_BOOT_SERVICES_DATA = 4,
	EFI_RUNTIME_SERVICES_CODE = 5,
	EFI_RUNTIME_SERVICES_DATA = 6,
	EFI_CONVENTIONAL = 7,
	EFI_UNUSABLE = 8,
	EFI_ACPI_RECLAIM = 9,
	EFI_ACPI_NVS = 10,
	EFI_MMIO = 11,
	EFI_MMIO_PORTS = 12,
	EFI_PAL_CODE = 13,
	EFI_PERSISTENT = 14,
	EFI_UNACCEPTED = 15,
};

#define EFI_MEMORY_WB      0x0000000000000008ull
#define EFI_MEMORY_SP      0x0000000000040000ull /* specific purpose: for drivers, not for all */
#define EFI_MEMORY_RUNTIME 0x8000000000000000ull

/* EFI_MEMORY_DESCRIPTOR; firmware's own may be longer. */
struct efi_descriptor {
	u32 type; /* enum efi_memory_type, or a number of the firmware's or loader's own */
	u32 pad;
	u64 pa;
	u64 va;
	u64 pages; /* of 4 KiB, whatever the CPU's */
	u64 attributes;
};

static_assert(sizeof(struct efi_descriptor) == 40, "UEFI 2.10");

struct efi_map {
	u32 desc_size; /* firmware's, 40 to 96: SetVirtualAddressMap() needs it */
	u32 desc_version;
	u32 count;
	struct efi_descriptor d[EFI_MAP_MAX];
};

/* What a boot loader says of the firmware. */
struct boot_efi {
	bool present; /* the machine was booted by UEFI */
	bool is_64bit;
	bool boot_services; /* still running: memory is not ours */
	u64 systab_pa;      /* EFI_SYSTEM_TABLE, 0: not passed */
	struct efi_map map; /* sorted by address; count 0: not passed */
};

/**
 * efi_map_parse() - copy @len bytes of descriptors, @m->desc_size each, sorted by address.
 *
 * Empty ranges and those that wrap past 2^64 are dropped. Beyond EFI_MAP_MAX equal neighbours are
 * joined; ERR_NOMEM if that is not enough (count is 0).
 */
MUST_CHECK err_t efi_map_parse(struct efi_map *m, const u8 *bytes, u64 len);

/* efi_e820_type() - the type of the range in an e820 map. docs/uefi.md has the table. */
u32 efi_e820_type(const struct efi_descriptor *d);

/**
 * efi_map_to_e820() - the whole map, normalised.
 * @idle: boot services memory counts as reserved: the rest is safe to use.
 *
 * ERR_NOMEM: more than E820_MAX ranges.
 */
MUST_CHECK err_t efi_map_to_e820(const struct efi_map *m, bool idle, struct e820_map *out);

/**
 * efi_map_set() - set the type of all RAM in [base, base + len), page aligned, to @type; splits
 * descriptors.
 *
 * Ranges that are not RAM stay as they are. ERR_NOMEM: no descriptor left, nothing is changed.
 */
MUST_CHECK err_t efi_map_set(struct efi_map *m, u64 base, u64 len, u32 type);

/* efi_map_agree() - make RAM in @m that is not RAM in @guest EFI_RESERVED. */
MUST_CHECK err_t efi_map_agree(struct efi_map *m, const struct e820_map *guest);

/* efi_map_bytes(), efi_map_write() - the map as firmware would write it, with its descriptor size.
 */
u64 efi_map_bytes(const struct efi_map *m);
void efi_map_write(const struct efi_map *m, u8 *out);

/**
 * efi_find_rsdp() - the RSDP's address from the configuration table; 0: none.
 * @map: reads physical memory.
 *
 * ACPI 2.0's entry wins over ACPI 1.0's.
 */
u64 efi_find_rsdp(const struct boot_efi *efi, acpi_map_fn map, void *ctx);
