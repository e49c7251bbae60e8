// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: IPIs by every destination and shorthand. Tests named smp_x2_* run in x2APIC mode.

#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static void ipi_physical(void)
{
	if (!smp_ipi_begin())
		return;
	for (u32 round = 0; round < 5; round++) {
		for (u32 i = 0; i < smp_count(); i++)
			smp_expect_ipi("physical", smp_ids[i], SMP_VEC | ASSERT, 1u << i);
	}
	smp_expect_ipi("physical, nobody", 0x70, SMP_VEC | ASSERT, 0);
	EXPECT_TRUE(smp_end());
}

static void ipi_logical(void)
{
	u32 all;

	if (!smp_ipi_begin())
		return;
	all = smp_all_mask();
	for (u32 mask = 1; mask <= all; mask += smp_count() > 4 ? 7 : 1)
		smp_expect_ipi("logical", smp_logical_of(mask), SMP_VEC | ASSERT | LOGICAL, mask);
	if (apic_mode() == APIC_X2APIC)
		smp_expect_ipi("other cluster", 0x00070001, SMP_VEC | ASSERT | LOGICAL, 0);
	else if (smp_count() < 8)
		smp_expect_ipi("logical, nobody", 0x80, SMP_VEC | ASSERT | LOGICAL, 0);
	EXPECT_TRUE(smp_end());
}

/* Clusters of two: CPU n is bit n % 2 of cluster n / 2. */
static void set_cluster(u64 unused)
{
	u32 i = smp_self();

	apic_write(APIC_DFR, APIC_DFR_CLUSTER);
	apic_write(APIC_LDR, (i / 2) << 28 | 1u << (24 + i % 2));
}

static void ipi_cluster(void)
{
	if (!smp_begin())
		return;
	set_cluster(0);
	for (u32 i = 1; i < smp_count(); i++)
		EXPECT_TRUE(smp_run(i, set_cluster, 0));
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 i = 0; i < smp_count(); i++)
		smp_expect_ipi("cluster", (i / 2) << 4 | 1u << i % 2, SMP_VEC | ASSERT | LOGICAL,
			       1u << i);
	smp_expect_ipi("both of a cluster", 0x03, SMP_VEC | ASSERT | LOGICAL, 3);
	smp_expect_ipi("nobody of a cluster", 0x0c, SMP_VEC | ASSERT | LOGICAL, 0);
	smp_expect_ipi("no such cluster", 0x73, SMP_VEC | ASSERT | LOGICAL, 0);
	EXPECT_TRUE(smp_end());
}

static void ipi_broadcast(void)
{
	u32 dest = apic_mode() == APIC_X2APIC ? ~0u : 0xff;

	if (!smp_ipi_begin())
		return;
	for (u32 i = 0; i < 5; i++) {
		smp_expect_ipi("physical broadcast", dest, SMP_VEC | ASSERT, smp_all_mask());
		smp_expect_ipi("logical broadcast", dest, SMP_VEC | ASSERT | LOGICAL,
			       smp_all_mask());
	}
	EXPECT_TRUE(smp_end());
}

static void ipi_shorthands(void)
{
	if (!smp_ipi_begin())
		return;
	for (u32 i = 0; i < 5; i++) {
		smp_expect_ipi("self", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_SELF), 1);
		smp_expect_ipi("all", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_ALL),
			       smp_all_mask());
		smp_expect_ipi("others", 0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS),
			       smp_all_mask() & ~1u);
	}
	EXPECT_TRUE(smp_end());
}

static void send_shorthand(u64 shorthand)
{
	apic_icr(0, SMP_VEC | ASSERT | SHORT((u32)shorthand));
	sti_nop_cli();
}

/* From another CPU, too. */
static void ipi_from_others(void)
{
	if (!smp_begin())
		return;
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		for (u32 i = 1; i < smp_count(); i++) {
			if (i != cpu)
				smp_call(i, smp_spin, 1);
		}
		sti();
		EXPECT_TRUE(smp_run(cpu, send_shorthand, APIC_SHORTHAND_OTHERS));
		EXPECT_TRUE(smp_run(cpu, send_shorthand, APIC_SHORTHAND_ALL));
		delay_us(SETTLE_US);
		cli();
		EXPECT_TRUE(smp_end());
		smp_quit = false;
		for (u32 i = 0; i < smp_count(); i++) {
			EXPECT_EQ(i == cpu ? 1 : 2, smp_hits[i]);
			smp_hits[i] = 0;
		}
	}
}

static void ipi_lowest(void)
{
	u32 all, low = SMP_VEC | LOWEST | LOGICAL;

	if (!smp_ipi_begin())
		return;
	all = smp_all_mask();
	sti();
	for (u32 mask = 1; mask <= all; mask += smp_count() > 4 ? 5 : 1) {
		u32 before[SMP_MAX], total = smp_hits_total();

		for (u32 i = 0; i < smp_count(); i++)
			before[i] = smp_hits[i];
		apic_icr(smp_logical_of(mask), low);
		EXPECT_TRUE(WAIT_FOR(smp_hits_total() != total, 10000));
		delay_us(SETTLE_US);
		EXPECT_EQ(total + 1, smp_hits_total());
		for (u32 i = 0; i < smp_count(); i++) {
			if ((mask >> i & 1) == 0)
				EXPECT_EQ(before[i], smp_hits[i]);
		}
	}
	cli();
	EXPECT_TRUE(smp_end());
}

#define BOTH(prefix, more)                                                                 \
	{ .name = prefix "ipi_physical", .run = ipi_physical, .flags = more },             \
		{ .name = prefix "ipi_broadcast", .run = ipi_broadcast, .flags = more },   \
		{ .name = prefix "ipi_shorthands", .run = ipi_shorthands, .flags = more }, \
	{                                                                                  \
		.name = prefix "ipi_from_others", .run = ipi_from_others, .flags = more    \
	}

static const struct test t_smp_ipi_tests[] = {
	BOTH("smp_", 0),
	{ .name = "smp_ipi_logical", .run = ipi_logical },
	{ .name = "smp_ipi_lowest", .run = ipi_lowest },
	{ .name = "smp_x2_ipi_logical",
	  .run = ipi_logical,
	  .flags = T_X2APIC | T_BOCHS,
	  .why = "Bochs 2.7 compares logical destinations with the LDR of xAPIC mode" },
	{ .name = "smp_x2_ipi_lowest",
	  .run = ipi_lowest,
	  .flags = T_X2APIC | T_BOCHS,
	  .why = "Bochs 2.7 compares logical destinations with the LDR of xAPIC mode" },
	{ .name = "smp_ipi_cluster", .run = ipi_cluster },
	BOTH("smp_x2_", T_X2APIC),
};
TEST_GROUP(t_smp_ipi);
