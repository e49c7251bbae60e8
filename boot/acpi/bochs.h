/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this the emulator with the bugs of docs/emulators.md? Pure. */
#pragma once

#include "core/lib/types.h"

struct bochs_facts {
	bool has_hypervisor; /* CPUID.01H:ECX[31]; Bochs leaves it clear */
	const u8 *rsdp;      /* as the loader passed it; NULL: none */
	u32 host_bridge;     /* vendor and device ID of PCI 00:00.0 */
};

/**
 * bochs_is_it() - by the OEM ID that its BIOS writes into the RSDP, or by a chipset that is twenty
 * years older than every CPU with VMX: other firmware, or GRUB's `acpi`, makes an RSDP of its own.
 * QEMU has both, but sets the hypervisor bit.
 */
bool bochs_is_it(const struct bochs_facts *f);
