/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine of the tests of the partition's EPT. */
#pragma once

#include "arch/x86/defs/paging.h"
#include "core/apic/vlapic.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/mtrr.h"
#include "tests/host/fakes/paged.h"
#include "tests/host/harness.h"

#define RAM_TOP     0x1ffe0000ull
#define REGION_BASE 0x1f600000ull
#define REGION_LEN  0x800000ull

static struct partition *const p = &the_partition;

/* A 512-MiB PC: 8 MiB of it ours, ACPI tables at the top of RAM, flash reserved. */
static void machine(void)
{
	static const struct e820_map map = {
		.count = 8,
		.e = { { 0, 0x9fc00, E820_RAM },
		       { 0x9fc00, 0x400, E820_RESERVED },
		       { 0xe8000, 0x18000, E820_RESERVED },
		       { 0x100000, REGION_BASE - 0x100000, E820_RAM },
		       { REGION_BASE, REGION_LEN, E820_RESERVED },
		       { REGION_BASE + REGION_LEN, RAM_TOP - REGION_BASE - REGION_LEN, E820_RAM },
		       { RAM_TOP, 0x20000, E820_ACPI },
		       { 0xfffc0000, 0x40000, E820_RESERVED } },
	};
	struct mtrr_state *m = &paged_vp.mtrr;

	paged_reset(EMUL_64);
	p->memory = map;
	p->region_base = hpa(REGION_BASE);
	p->region_len = REGION_LEN;
	m->cap = 0x508;
	m->phys_bits = 40;
	m->var_count = 8;
	m->def_type = 0xc06; /* enabled, fixed ranges, WB */
	for (u32 i = 0; i < ARRAY_SIZE(m->fixed); i++)
		m->fixed[i] = i == 2 ? 0 : 0x0606060606060606ull;
	m->base[0] = 0xc0000000 | MT_UC; /* the PCI hole */
	m->mask[0] = 0xffc0000000 | BIT64(11);
}

static UNUSED void build(void)
{
	machine();
	p->machine.apic_accesses = true;
	EXPECT_EQ(ERR_NONE, apic_page_init(p));
	EXPECT_EQ(ERR_NONE, ept_init(&p->ept, true, true, false, MT_WB));
	EXPECT_EQ(ERR_NONE, ept_build_partition(p));
}
