/* SPDX-License-Identifier: BSD-2-Clause */
/* core/apic/phys_mode.c, a case per row, and the precedence of rows. */
#include "tests/host/harness.h"

#include "core/apic/phys_mode.h"

static const struct {
	struct phys_apic_facts f;
	bool may;
	const char *why;
} cases[] = {
	{ { 0 }, false, "no x2APIC" },
	{ { .has_dmar = true, .intr_remap = true }, false, "no x2APIC" },
	{ { .has_hypervisor = true }, false, "no x2APIC" },
	{ { .has_x2apic = true, .is_x2apic = true }, true, "firmware uses it" },
	/* The firmware that opts out for others uses it itself: it is on, and may be locked. */
	{ { .has_x2apic = true,
	    .is_x2apic = true,
	    .has_dmar = true,
	    .intr_remap = true,
	    .x2apic_opt_out = true },
	  true,
	  "firmware uses it" },
	{ { .has_x2apic = true, .has_hypervisor = true }, true, "outer hypervisor" },
	{ { .has_x2apic = true, .has_hypervisor = true, .has_dmar = true },
	  true,
	  "outer hypervisor" },
	{ { .has_x2apic = true, .is_bochs = true }, true, "Bochs" },
	{ { .has_x2apic = true }, false, "no DMAR table" },
	{ { .has_x2apic = true, .has_dmar = true }, false, "the DMAR table says so" },
	{ { .has_x2apic = true, .has_dmar = true, .x2apic_opt_out = true },
	  false,
	  "the DMAR table says so" },
	{ { .has_x2apic = true, .has_dmar = true, .intr_remap = true, .x2apic_opt_out = true },
	  false,
	  "opts out" },
	{ { .has_x2apic = true, .has_dmar = true, .intr_remap = true },
	  true,
	  "there is interrupt remapping" },
};

static void test_every_row(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *why = "";

		EXPECT_EQ(cases[i].may, phys_apic_may_x2apic(&cases[i].f, &why));
		EXPECT_CONTAINS(why, cases[i].why);
	}
}

TEST_MAIN(TEST(test_every_row))
