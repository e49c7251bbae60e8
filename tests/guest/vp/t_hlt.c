// SPDX-License-Identifier: BSD-2-Clause
// HLT: every way it ends.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define VEC 0x53

/* STI; HLT; CLI with the address behind HLT. */
static NOINLINE u64 halt(void)
{
	u64 next;

	asm volatile("lea 1f(%%rip), %0; sti; hlt; 1: cli" : "=r"(next) : : "memory");
	return next;
}

static void hlt_pending(void)
{
	for (u32 i = 1; i <= 10; i++) {
		u64 next;

		apic_self_ipi(VEC);
		next = halt();
		EXPECT_EQ(i, irq_log_count);
		EXPECT_EQ(next, irq_log_rip[i - 1]);
	}
}

static void hlt_deadline(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 10; i++) {
		u64 deadline = rdtsc() + us_to_tsc(500), now;

		apic_deadline(deadline);
		halt();
		now = rdtsc();
		EXPECT_EQ(i, irq_log_count);
		EXPECT_GE(now, deadline);
		EXPECT_LE(now, deadline + us_to_tsc(200));
	}
}

/* A deadline in the past fires at once, also right before HLT. */
static void hlt_deadline_past(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 10; i++) {
		apic_deadline(rdtsc() - 1000);
		halt();
		EXPECT_EQ(i, irq_log_count);
	}
}

/* Sweep: the deadline passes at every point around STI; HLT. No wake-up may be lost. */
static void hlt_deadline_sweep(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 400; i++) {
		irq_log_count = 0;
		apic_deadline(rdtsc() + i * 5);
		halt();
		if (!EXPECT_AT(irq_log_count == 1, "round %u: %u interrupts", i, irq_log_count))
			return;
	}
}

static void hlt_oneshot(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 5; i++) {
		apic_write(APIC_TMICT, 20000);
		halt();
		EXPECT_EQ(i, irq_log_count);
		EXPECT_EQ(0, apic_read(APIC_TMCCT));
	}
}

static void hlt_periodic(void)
{
	apic_timer(APIC_TIMER_PERIODIC, VEC, APIC_TDCR_BY_1);
	/* The first handler may run long: its EOI is decoded anew. */
	apic_write(APIC_TMICT, 1000000);
	for (u32 i = 1; i <= 10; i++) {
		halt();
		EXPECT_EQ(i, irq_log_count);
	}
}

/* A device interrupt through the I/O APIC wakes HLT. */
static void hlt_ioapic(void)
{
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	for (u32 i = 1; i <= 5; i++) {
		pit_oneshot(1000);
		halt();
		EXPECT_EQ(i, irq_log_count);
	}
}

/* A device interrupt with the timer far away, and the other way round. */
static void hlt_both_sources(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC + 1, APIC_TDCR_BY_1);
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	apic_deadline(rdtsc() + us_to_tsc(1000000));
	pit_oneshot(1000);
	halt();
	EXPECT_EQ(VEC, irq_log[0]);
	apic_deadline(rdtsc() + us_to_tsc(200));
	pit_oneshot(60000);
	halt();
	EXPECT_EQ(VEC + 1, irq_log[1]);
	EXPECT_EQ(2, irq_log_count);
}

/* Halting long costs no guest-visible time error: the TSC and the PM timer agree afterwards. */
static void hlt_time_goes_on(void)
{
	u32 pm = pm_timer();
	u64 tsc = rdtsc(), ticks;

	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_deadline(tsc + us_to_tsc(20000));
	halt();
	ticks = (pm_timer() - pm) & 0xffffff;
	EXPECT_GE(ticks, PM_TIMER_HZ / 50 * 98 / 100);
	EXPECT_LE(ticks, PM_TIMER_HZ / 50 * 102 / 100);
}

static volatile u32 nested_wakes;

static void halt_in_handler(struct trap_regs *regs)
{
	apic_eoi();
	if (nested_wakes++ == 0) {
		apic_deadline(rdtsc() + us_to_tsc(100));
		sti_hlt_cli();
	}
}

static void hlt_inside_handler(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	trap_handle(VEC, halt_in_handler);
	nested_wakes = 0;
	apic_deadline(rdtsc() + us_to_tsc(100));
	halt();
	EXPECT_EQ(2, nested_wakes);
}

/* An interrupt blocked by the TPR does not end HLT; one above it does. */
static void hlt_tpr_blocked(void)
{
	apic_write(APIC_TPR, 0x60);
	apic_self_ipi(VEC);
	apic_timer(APIC_TIMER_TSC_DEADLINE, 0x73, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + us_to_tsc(300));
	halt();
	EXPECT_EQ(1, irq_log_count);
	EXPECT_EQ(0x73, irq_log[0]);
	sti();
	apic_write(APIC_TPR, 0);
	asm volatile("nop");
	cli();
	EXPECT_EQ(2, irq_log_count);
}

#define HLT_TESTS(prefix, more)                                                                 \
	{ .name = prefix "_pending", .run = hlt_pending, .flags = more },                       \
		{ .name = prefix "_deadline", .run = hlt_deadline, .flags = more },             \
		{ .name = prefix "_deadline_past", .run = hlt_deadline_past, .flags = more },   \
		{ .name = prefix "_deadline_sweep", .run = hlt_deadline_sweep, .flags = more }, \
		{ .name = prefix "_oneshot", .run = hlt_oneshot, .flags = more },               \
		{ .name = prefix "_periodic", .run = hlt_periodic, .flags = more },             \
		{ .name = prefix "_ioapic", .run = hlt_ioapic, .flags = more },                 \
		{ .name = prefix "_both_sources", .run = hlt_both_sources, .flags = more },     \
		{ .name = prefix "_time_goes_on", .run = hlt_time_goes_on, .flags = more },     \
		{ .name = prefix "_inside_handler", .run = hlt_inside_handler, .flags = more }, \
	{                                                                                       \
		.name = prefix "_tpr_blocked", .run = hlt_tpr_blocked, .flags = more            \
	}

static const struct test t_hlt_tests[] = {
	HLT_TESTS("hlt", 0),
	HLT_TESTS("hlt_x2apic", T_X2APIC),
};
TEST_GROUP(t_hlt);
