/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What firmware left on in the IOMMUs. We only look: they are the guest's, like all devices (rule
 * P5). Context: boot CPU, own page tables.
 *
 * Spec: Intel VT-d, "Global Status Register".
 */
#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "boot/boot.h"
#include "core/diag/log.h"
#include "core/lib/bits.h"
#include "core/lib/bytes.h"

#define VTD_BYTES 0x1000u
#define VTD_GSTS  0x1cu
#define GSTS_TES  BIT32(31) /* DMA remapping is on */
#define GSTS_IRES BIT32(25) /* interrupt remapping is on */

static u32 status(u64 pa)
{
	u32 val = mmio_read32((const u8 *)mmio_map(hpa(pa), VTD_BYTES) + VTD_GSTS);

	return val == ~0u ? 0 : val; /* nothing is there */
}

void boot_iommu(struct boot_state *b)
{
	const struct acpi_info *a = &b->acpi;
	struct iommu_state *s = &b->iommu;

	for (u32 i = 0; i < a->dmar_units; i++) {
		u32 val;

		if (!range_fits(a->dmar_unit_pa[i], VTD_BYTES, BIT64(cpu_phys_bits())))
			continue;
		val = status(a->dmar_unit_pa[i]);
		s->translating += (val & GSTS_TES) != 0;
		s->remapping_interrupts += (val & GSTS_IRES) != 0;
	}
	/* Cause (loader): the firmware left DMA protection or interrupt remapping on; the boot goes
	 * on.
	 * Remedy: a guest that drives the IOMMU (Linux: `intel_iommu=on`), or "DMA protection"
	 * off in the firmware set-up. */
	if (s->translating != 0)
		log_warn("iommu: %u of %u units translate DMA: devices reach no memory of a guest "
			 "that does not drive the IOMMU",
			 s->translating, a->dmar_units);
	/* Cause (loader): the firmware left DMA protection or interrupt remapping on; the boot goes
	 * on.
	 * Remedy: a guest that drives the IOMMU (Linux: `intel_iommu=on`), or "DMA protection"
	 * off in the firmware set-up. */
	if (s->remapping_interrupts != 0)
		log_warn("iommu: %u of %u units remap interrupts: a guest that does not drive the "
			 "IOMMU gets none from its devices",
			 s->remapping_interrupts, a->dmar_units);
}
