/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * UEFI for a Linux guest: struct efi_info and a copy of the memory map with our memory reserved.
 * Boot time, pure.
 *
 * With an EFI map Linux places itself (KASLR) by that, not by the e820 map, and only into
 * "conventional" memory. So memory it must not unpack itself over is loader data here.
 * Spec: Linux "The Linux/x86 Boot Protocol", "EFI Handover Protocol" and zero-page.rst.
 */
#include "boot/load/bootparam.h"
#include "boot/load/bzimage.h"
#include "boot/load/plan.h"
#include "core/lib/bytes.h"

#define OWN_CUTS 2u /* extra descriptors if the block lies inside one */

u32 bzimage_efi_prepare(const struct load_input *in, struct load_plan *out)
{
	const struct boot_efi *efi = in->efi;

	/* Without a map Linux can neither call the firmware nor know which memory to preserve. */
	if (efi == NULL || efi->systab_pa == 0)
		return 0;
	if (!plan_efi_map(in, out, OWN_CUTS))
		return 0;
	return (out->efi.count + OWN_CUTS) * out->efi.desc_size;
}

err_t bzimage_efi_write(const struct load_input *in, struct load_plan *out, u8 *aux, u64 aux_pa,
			u32 used)
{
	const struct boot_efi *efi = in->efi;
	struct efi_map *m = &out->efi;
	u64 map_pa = aux_pa + used;
	u64 len = used + (m->count + OWN_CUTS) * (u64)m->desc_size;

	TRY(efi_map_set(m, aux_pa, ALIGN_UP(len, 4096), EFI_LOADER_DATA));
	efi_map_write(m, aux + used);
	put_u32(aux + BP_EFI_SIGNATURE, efi->is_64bit ? BP_EFI_SIGNATURE_64 : BP_EFI_SIGNATURE_32);
	put_u32(aux + BP_EFI_SYSTAB, (u32)efi->systab_pa);
	put_u32(aux + BP_EFI_SYSTAB_HI, (u32)(efi->systab_pa >> 32));
	put_u32(aux + BP_EFI_MEMDESC_SIZE, m->desc_size);
	put_u32(aux + BP_EFI_MEMDESC_VERSION, m->desc_version);
	put_u32(aux + BP_EFI_MEMMAP, (u32)map_pa);
	put_u32(aux + BP_EFI_MEMMAP_HI, (u32)(map_pa >> 32));
	put_u32(aux + BP_EFI_MEMMAP_SIZE, (u32)efi_map_bytes(m));
	return ERR_NONE;
}
