// SPDX-License-Identifier: BSD-2-Clause
// testdev=on: software lines to several CPUs. Named runs only: without the option these ports and
// addresses belong to the machine.

#include "tests/guest/dev/testdev.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

static void smp_physical(void)
{
	if (!line_smp_begin())
		return;
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		ioapic_route(PIN, SMP_VEC, smp_ids[cpu]);
		for (u32 n = 1; n <= 5; n++) {
			pulse(PIN);
			EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] == n, 20000));
		}
	}
	EXPECT_EQ(0, smp_hits[0]);
	EXPECT_TRUE(smp_end());
}

static volatile u32 smp_level_rounds;

static void smp_level_handler(struct trap_regs *regs)
{
	if (__atomic_add_fetch(&smp_hits[smp_self()], 1, __ATOMIC_RELAXED) >= smp_level_rounds)
		line(PIN, 0);
	apic_eoi();
}

static void smp_level(void)
{
	if (!line_smp_begin())
		return;
	trap_handle(SMP_VEC, smp_level_handler);
	smp_level_rounds = 5;
	REQUIRE(smp_all(smp_spin, 1));
	for (u32 cpu = 1; cpu < smp_count(); cpu++) {
		ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL, smp_ids[cpu]);
		line(PIN, 1);
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] == 5, 20000));
		EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
		delay_us(200);
		EXPECT_EQ(5, smp_hits[cpu]);
	}
	EXPECT_TRUE(smp_end());
}

/* One message to all: each gets it, the first EOI frees the pin. */
static void smp_logical(void)
{
	u32 all = 0;

	if (!line_smp_begin())
		return;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		all |= logical_id(cpu);
	trap_handle(SMP_VEC, smp_level_handler);
	smp_level_rounds = 1;
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL | LOGICAL, all);
	line(PIN, 1);
	sti();
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_TRUE(WAIT_FOR(smp_hits[cpu] != 0, 20000));
	cli();
	EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
	EXPECT_TRUE(smp_end());
}

static void smp_lowest(void)
{
	u32 all = 0;

	if (!line_smp_begin())
		return;
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		all |= logical_id(cpu);
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | LOGICAL | LOWEST, all);
	sti();
	for (u32 n = 1; n <= 10; n++) {
		pulse(PIN);
		EXPECT_TRUE(WAIT_FOR(smp_hits_total() == n, 20000));
	}
	delay_us(200);
	cli();
	EXPECT_EQ(10, smp_hits_total());
	EXPECT_TRUE(smp_end());
}

/* The handler gives the pin to the next CPU while the line is still up: that one goes on. */
static void moving_handler(struct trap_regs *regs)
{
	u32 self = smp_self();

	smp_hits[self]++;
	if (self + 1 < smp_count())
		ioapic_write(0x11 + 2 * PIN, smp_ids[self + 1] << 24);
	else
		line(PIN, 0);
	apic_eoi();
}

static void smp_moves(void)
{
	if (!line_smp_begin())
		return;
	trap_handle(SMP_VEC, moving_handler);
	REQUIRE(smp_all(smp_spin, 1));
	ioapic_route(PIN, SMP_VEC | IOAPIC_RTE_LEVEL, smp_ids[0]);
	line(PIN, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(smp_hits[smp_count() - 1] != 0, 20000));
	cli();
	for (u32 cpu = 0; cpu < smp_count(); cpu++)
		EXPECT_EQ(1, smp_hits[cpu]);
	EXPECT_TRUE(WAIT_FOR(!remote_irr(PIN), 1000));
	EXPECT_TRUE(smp_end());
}

static void pulse_later(u64 n)
{
	delay_us(100);
	pulse((u32)n);
}

/* Another CPU drives the line of a CPU that sleeps. */
static void smp_wakes(void)
{
	if (!line_smp_begin())
		return;
	ioapic_route(PIN, SMP_VEC, smp_ids[0]);
	for (u32 n = 1; n <= 5; n++) {
		smp_call(1, pulse_later, PIN);
		sti_hlt_cli();
		EXPECT_EQ(n, smp_hits[0]);
		EXPECT_TRUE(smp_wait(1));
	}
}

#define BOTH(prefix, more)                                                           \
	{ .name = prefix "smp_physical", .run = smp_physical, .flags = more },       \
		{ .name = prefix "smp_level", .run = smp_level, .flags = more },     \
		{ .name = prefix "smp_logical", .run = smp_logical, .flags = more }, \
		{ .name = prefix "smp_lowest", .run = smp_lowest, .flags = more },   \
		{ .name = prefix "smp_moves", .run = smp_moves, .flags = more },     \
	{                                                                            \
		.name = prefix "smp_wakes", .run = smp_wakes, .flags = more          \
	}

static const struct test t_testdev_smp_tests[] = {
	BOTH("testdev_", T_NAMED),
	BOTH("testdev_x2_", T_NAMED | T_X2APIC),
};
TEST_GROUP(t_testdev_smp);
