/* SPDX-License-Identifier: BSD-2-Clause */
/* See bochs.h. Pure. */
#include "boot/acpi/bochs.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"

#define RSDP_OEM_ID 9 /* ACPI "Root System Description Pointer": 6 bytes */

/* Intel's, as Bochs can be configured. */
static const u32 bridges[] = { 0x122d8086 /* 430FX */, 0x12378086 /* 440FX */,
			       0x71908086 /* 440BX */ };

bool bochs_is_it(const struct bochs_facts *f)
{
	if (f->has_hypervisor)
		return false;
	if (f->rsdp != NULL && memcmp(f->rsdp + RSDP_OEM_ID, "BOCHS ", 6) == 0)
		return true;
	for (u32 i = 0; i < ARRAY_SIZE(bridges); i++)
		if (f->host_bridge == bridges[i])
			return true;
	return false;
}
