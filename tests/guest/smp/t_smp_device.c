// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: interrupts of devices. Tests named smp_x2_* run in x2APIC mode.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static void device_irq(struct trap_regs *regs)
{
	smp_hits[smp_self()]++;
	com1_irq_drop();
	apic_eoi();
}

static void expect_device(const char *what, u32 cpu)
{
	u32 before = smp_hits[cpu], total = smp_hits_total();

	sti();
	com1_irq_raise();
	(void)WAIT_FOR(smp_hits[cpu] != before, 20000);
	delay_us(20);
	cli();
	com1_irq_drop();
	EXPECT_AT(smp_hits[cpu] == before + 1 && smp_hits_total() == total + 1,
		  "%s, to CPU %u, %u came", what, cpu, smp_hits_total() - total);
}

/*
 * In x2APIC mode a device's logical destination names members of cluster 0. Bochs 2.7 compares it
 * with the LDR of xAPIC mode: only where that is in use (xapic=1 on the command line).
 */
static bool logical_dest(u32 cpu, u32 *dest)
{
	if (apic_mode() == APIC_X2APIC) {
		*dest = x2apic_ldr(smp_ids[cpu]) & 0xff;
		return smp_ids[cpu] < 8 && cmdline_number("xapic", 0) != 0;
	}
	*dest = 1u << cpu;
	return true;
}

static void device_to_each(void)
{
	if (!smp_ipi_begin())
		return;
	trap_handle(0x63, device_irq);
	for (u32 level = 0; level < 2; level++) {
		u32 low = 0x63 | (level != 0 ? IOAPIC_RTE_LEVEL : 0);

		for (u32 round = 0; round < 3; round++) {
			for (u32 i = 0, dest; i < smp_count(); i++) {
				ioapic_route(IOAPIC_PIN_COM1, low, smp_ids[i]);
				expect_device("physical", i);
				if (!logical_dest(i, &dest))
					continue;
				ioapic_route(IOAPIC_PIN_COM1, low | BIT32(11), dest);
				expect_device("logical", i);
			}
		}
	}
	EXPECT_TRUE(smp_end());
}

/* Periodic interrupts move from CPU to CPU while they come: by ID, then by logical destination. */
static void device_moves(void)
{
	if (!smp_ipi_begin())
		return;
	pit_periodic(1193);
	sti();
	for (u32 i = 0; i < 4 * smp_count(); i++) {
		u32 cpu = i % smp_count(), before, dest;
		bool logical = i >= 2 * smp_count();

		if (logical && !logical_dest(cpu, &dest))
			break;
		if (logical)
			ioapic_route(IOAPIC_PIN_PIT, SMP_VEC | BIT32(11), dest);
		else
			ioapic_route(IOAPIC_PIN_PIT, SMP_VEC, smp_ids[cpu]);
		delay_us(20);
		smp_hits[cpu] = 0;
		before = smp_hits_total();
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] >= 5, 50000));
		EXPECT_LE(smp_hits_total() - before, smp_hits[cpu] + 1);
	}
	pit_stop();
	cli();
	EXPECT_TRUE(smp_end());
}

static void device_lowest(void)
{
	u32 total;

	if (!smp_ipi_begin())
		return;
	ioapic_route(IOAPIC_PIN_PIT, SMP_VEC | BIT32(11) | 0x100, smp_all_mask());
	sti();
	for (u32 i = 0; i < 5; i++) {
		total = smp_hits_total();
		pit_oneshot(300);
		EXPECT_TRUE(WAIT_FOR(smp_hits_total() != total, 20000));
		delay_us(SETTLE_US);
		EXPECT_EQ(total + 1, smp_hits_total());
	}
	cli();
	EXPECT_TRUE(smp_end());
}

static void device_wakes_hlt(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_all(smp_halts, 1));
	for (u32 i = 1; i < smp_count(); i++) {
		ioapic_route(IOAPIC_PIN_PIT, SMP_VEC, smp_ids[i]);
		for (u32 n = 1; n <= 5; n++) {
			pit_oneshot(500);
			EXPECT_TRUE(WAIT_FOR(smp_hits[i] == n, 20000));
		}
	}
	smp_quit = true;
	apic_icr(0, SMP_VEC | ASSERT | SHORT(APIC_SHORTHAND_OTHERS));
	EXPECT_TRUE(smp_end());
}

#define BOTH(prefix, more)                                                                \
	{ .name = prefix "device_to_each", .run = device_to_each, .flags = more },        \
		{ .name = prefix "device_moves", .run = device_moves, .flags = more },    \
	{                                                                                 \
		.name = prefix "device_wakes_hlt", .run = device_wakes_hlt, .flags = more \
	}

static const struct test t_smp_device_tests[] = {
	BOTH("smp_", 0),
	{ .name = "smp_device_lowest", .run = device_lowest },
	BOTH("smp_x2_", T_X2APIC),
};
TEST_GROUP(t_smp_device);
