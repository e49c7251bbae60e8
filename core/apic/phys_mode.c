/* SPDX-License-Identifier: BSD-2-Clause */
/* Whether the physical local APICs may follow the guest into x2APIC mode (rule I7). Pure. */
#include "core/apic/phys_mode.h"

#include "core/lib/bits.h"

/* The first row whose test is true decides. */
struct row {
	bool (*is_so)(const struct phys_apic_facts *f);
	bool may;
	const char *why;
};

static bool no_x2apic(const struct phys_apic_facts *f)
{
	return !f->has_x2apic;
}

static bool handed_over(const struct phys_apic_facts *f)
{
	return f->is_x2apic;
}

static bool nested(const struct phys_apic_facts *f)
{
	return f->has_hypervisor;
}

static bool on_bochs(const struct phys_apic_facts *f)
{
	return f->is_bochs;
}

static bool no_dmar(const struct phys_apic_facts *f)
{
	return !f->has_dmar;
}

static bool no_remapping(const struct phys_apic_facts *f)
{
	return !f->intr_remap;
}

static bool opted_out(const struct phys_apic_facts *f)
{
	return f->x2apic_opt_out;
}

static bool remapping(const struct phys_apic_facts *f)
{
	return true;
}

static const struct row rows[] = {
	{ no_x2apic, false, "this CPU has no x2APIC" },
	{ handed_over, true, "the firmware uses it" },
	{ nested, true, "an outer hypervisor delivers devices' 8-bit destinations" },
	{ on_bochs, true, "Bochs delivers devices' 8-bit destinations" },
	{ no_dmar, false, "there is no interrupt remapping: no DMAR table" },
	{ no_remapping, false, "there is no interrupt remapping: the DMAR table says so" },
	{ opted_out, false, "the firmware opts out of it in the DMAR table" },
	{ remapping, true, "there is interrupt remapping" },
};

bool phys_apic_may_x2apic(const struct phys_apic_facts *f, const char **why)
{
	const struct row *r = rows;

	while (!r->is_so(f))
		r++;
	*why = r->why;
	return r->may;
}
