// SPDX-License-Identifier: BSD-2-Clause
// Several CPUs: the end of all at once. One test in each run; the runner judges the report.

#include "tests/guest/groups.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/ipi.h"
#include "tests/guest/smp/t_smp.h"

static void triple_fault(void)
{
	struct {
		u16 limit;
		u64 base;
	} PACKED idt = { 0 };

	asm volatile("lidt %0; ud2" : : "m"(idt));
}

static volatile u32 at_the_edge;

static void crash_together(u64 unused)
{
	__atomic_add_fetch(&at_the_edge, 1, __ATOMIC_ACQ_REL);
	while (LOAD_ACQUIRE(at_the_edge) != smp_count())
		cpu_relax();
	triple_fault();
}

static void crash_all(void)
{
	if (!smp_begin())
		return;
	for (u32 i = 1; i < smp_count(); i++)
		smp_call(i, crash_together, 0);
	tap_printf("# crashing\n");
	crash_together(0);
}

/* Says again and again that it is alive; CPU 1 and 2 do, with either IF. */
static void chatter(u64 interrupts)
{
	if (interrupts)
		sti();
	for (;;) {
		smp_beat[smp_self()]++;
		outb(0x3f8, '.');
	}
}

/* The others run with IF = 0 and 1, sleep, and wait for a SIPI. */
static void crash_one(void)
{
	if (!smp_begin())
		return;
	REQUIRE(smp_count() >= 5);
	smp_call(3, smp_halts, 1);
	smp_call(4, smp_halts, 0);
	for (u32 i = 5; i < smp_count(); i++)
		smp_send_init(i);
	tap_printf("# crashing\n");
	EXPECT_TRUE(smp_call_beats(1, chatter, 0));
	EXPECT_TRUE(smp_call_beats(2, chatter, 1));
	delay_us(SETTLE_US);
	triple_fault();
}

static const struct test t_smp_crash_tests[] = {
	{ .name = "crash_smp_all", .run = crash_all, .flags = T_SOLO },
	{ .name = "crash_smp_one", .run = crash_one, .flags = T_SOLO },
};
TEST_GROUP(t_smp_crash);
