/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the physical local APICs may follow the guest into x2APIC mode (rule I7). Pure. */
#pragma once

#include "core/lib/types.h"

/* Of the machine, the same on all CPUs. */
struct phys_apic_facts {
	bool has_x2apic;     /* CPUID.01H:ECX[21] */
	bool is_x2apic;      /* the boot CPU's, before we touched it */
	bool has_hypervisor; /* CPUID.01H:ECX[31]: an outer one */
	bool is_bochs;
	bool has_dmar;
	bool intr_remap, x2apic_opt_out; /* flags of the DMAR table */
};

/**
 * phys_apic_may_x2apic() - they may. *@why: the reason, either way.
 *
 * An APIC in x2APIC mode compares 32-bit destinations. What devices send has 8 bits until interrupt
 * remapping widens it, and only hypervisors promise to deliver that to an APIC in x2APIC mode; so
 * without remapping the APICs stay as the firmware left them. The guest's own x2APIC is virtual and
 * works either way.
 * Spec: VT-d "DMA Remapping Reporting Structure"; SDM Vol. 3A "Extended XAPIC (x2APIC)".
 */
bool phys_apic_may_x2apic(const struct phys_apic_facts *f, const char **why);
