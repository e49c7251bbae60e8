/* SPDX-License-Identifier: BSD-2-Clause */
/* The EFI system table, as far as the RSDP. Boot time, pure; the table is not trusted. */
#include "boot/load/efi.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define SYSTAB_SIGNATURE 0x5453595320494249ull /* "IBI SYST" */
#define CONFIG_MAX       1024u                 /* entries; real machines have twenty */

/* Offsets by the firmware's pointer width. */
struct layout {
	u32 systab_len, count, table, entry_len;
};

static const struct layout layout_32 = {
	.systab_len = 72, .count = 64, .table = 68, .entry_len = 20
};
static const struct layout layout_64 = {
	.systab_len = 120, .count = 104, .table = 112, .entry_len = 24
};

static const u8 acpi_20_guid[16] = { 0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
				     0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81 };
static const u8 acpi_10_guid[16] = { 0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
				     0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d };

static u64 pointer(const u8 *p, bool is_64bit)
{
	return is_64bit ? get_u64(p) : get_u32(p);
}

u64 efi_find_rsdp(const struct boot_efi *efi, acpi_map_fn map, void *ctx)
{
	const struct layout *l = efi->is_64bit ? &layout_64 : &layout_32;
	const u8 *t = efi->systab_pa != 0 ? map(ctx, efi->systab_pa, l->systab_len) : NULL;
	u64 config, old = 0;
	u32 count;

	if (t == NULL || get_u64(t) != SYSTAB_SIGNATURE)
		return 0;
	count = get_u32(t + l->count);
	config = pointer(t + l->table, efi->is_64bit);
	if (count > CONFIG_MAX)
		return 0;
	t = map(ctx, config, (u64)count * l->entry_len);
	for (u32 i = 0; t != NULL && i < count; i++, t += l->entry_len) {
		if (memcmp(t, acpi_20_guid, sizeof(acpi_20_guid)) == 0)
			return pointer(t + sizeof(acpi_20_guid), efi->is_64bit);
		if (memcmp(t, acpi_10_guid, sizeof(acpi_10_guid)) == 0)
			old = pointer(t + sizeof(acpi_10_guid), efi->is_64bit);
	}
	return old;
}
