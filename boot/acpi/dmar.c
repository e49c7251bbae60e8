/* SPDX-License-Identifier: BSD-2-Clause */
/* DMAR: the remapping units of VT-d. Intel VT-d, "DMA Remapping Reporting Structure". Pure. */
#include "boot/acpi/tables.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define DMAR_FLAGS       37u
#define DMAR_ENTRIES_OFF 48u
#define DMAR_DRHD        0u /* "DMA Remapping Hardware Unit Definition" */
#define DMAR_DRHD_LEN    16u
#define DRHD_BASE        8u

void dmar_parse(const u8 *dmar, u32 len, struct acpi_info *out)
{
	if (len <= DMAR_FLAGS)
		return;
	out->has_dmar = true;
	out->dmar_flags = dmar[DMAR_FLAGS];
	for (u32 at = DMAR_ENTRIES_OFF, size; range_fits(at, 4, len); at += size) {
		const u8 *e = dmar + at;

		size = get_u16(e + 2);
		if (size < 4 || !range_fits(at, size, len))
			return;
		if (get_u16(e) == DMAR_DRHD && size >= DMAR_DRHD_LEN &&
		    out->dmar_units < ARRAY_SIZE(out->dmar_unit_pa))
			out->dmar_unit_pa[out->dmar_units++] = get_u64(e + DRHD_BASE);
	}
}
