// SPDX-License-Identifier: BSD-2-Clause
// The local APIC timer in its three modes.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/lib/str.h"

#define VEC          0x54
#define LONG_WAIT_US 500000

static bool wait_irqs(u32 count)
{
	bool came;

	sti();
	came = WAIT_FOR(irq_log_count >= count, LONG_WAIT_US);
	cli();
	return came;
}

static void timer_oneshot(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 3; i++) {
		apic_write(APIC_TMICT, 30000);
		EXPECT_EQ(30000, apic_read(APIC_TMICT));
		EXPECT_TRUE(wait_irqs(i));
		EXPECT_EQ(0, apic_read(APIC_TMCCT));
	}
	delay_us(5000);
	sti_nop_cli();
	EXPECT_EQ(3, irq_log_count); /* one shot is one */
}

static void timer_counts_down(void)
{
	u32 last;

	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 0xffffffff);
	last = apic_read(APIC_TMCCT);
	for (u32 i = 0; i < 50; i++) {
		u32 now = apic_read(APIC_TMCCT);

		EXPECT_LE(now, last);
		EXPECT_GE(now, 1);
		last = now;
	}
	EXPECT_LE(last, 0xfffffffe);
	apic_write(APIC_TMICT, 0);
	EXPECT_EQ(0, apic_read(APIC_TMCCT));
	EXPECT_EQ(0, irq_log_count);
}

/* Ticks in the same span of PM timer time halve from divider to divider. */
static u32 timer_ticks(u32 tdcr)
{
	u32 start, pm = pm_timer();

	apic_write(APIC_TDCR, tdcr);
	apic_write(APIC_TMICT, 0xffffffff);
	while (pm_timer() == pm)
		;
	pm = pm_timer();
	start = apic_read(APIC_TMCCT);
	while (((pm_timer() - pm) & 0xffffff) < 20000)
		;
	return start - apic_read(APIC_TMCCT);
}

static void timer_dividers(void)
{
	static const u8 tdcr[] = { 0xb, 0, 1, 2, 3, 8, 9, 0xa }; /* by 1, 2, 4 ... 128 */
	u32 by1 = 0;

	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < ARRAY_SIZE(tdcr); i++) {
		u32 ticks = timer_ticks(tdcr[i]);

		EXPECT_EQ(tdcr[i], apic_read(APIC_TDCR));
		if (i == 0)
			by1 = ticks;
		EXPECT_GE((ticks + 2) << i, by1 - by1 / 32);
		EXPECT_LE((ticks - 2) << i, by1 + by1 / 32);
	}
}

static void timer_periodic(void)
{
	u64 start, period;

	apic_timer(APIC_TIMER_PERIODIC, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 1000000);
	EXPECT_TRUE(wait_irqs(2)); /* the first handler may run long: its EOI is decoded anew */
	start = rdtsc();
	EXPECT_TRUE(wait_irqs(7));
	period = (rdtsc() - start) / 5;
	start = rdtsc();
	EXPECT_TRUE(wait_irqs(27));
	/* no drift: 20 more periods take 20 times as long */
	EXPECT_GE(rdtsc() - start, period * 19);
	EXPECT_LE(rdtsc() - start, period * 21);
	EXPECT_NE(0, apic_read(APIC_TMCCT));
	apic_write(APIC_TMICT, 0);
	irq_log_count = 0;
	delay_us(10000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
}

static void timer_periodic_tiny(void)
{
	/* Periods far below the cost of an exit must not stop the CPU (IF = 0: no handler runs). */
	apic_timer(APIC_TIMER_PERIODIC, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 1);
	for (u32 i = 0; i < 1000; i++)
		asm volatile("nop");
	(void)cpuid(0);
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC), 10000)); /* a longer shortest period is fine */
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

/* Option min_timer_period_us: the period is that long, not shorter and not much longer. */
static void timer_period_limit(void)
{
	u32 limit_us = (u32)cmdline_number("min_period_us", 0);
	u64 start;

	if (limit_us == 0) {
		test_skip("min_period_us= is not given");
		return;
	}
	apic_timer(APIC_TIMER_PERIODIC, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 100);
	EXPECT_TRUE(wait_irqs(1));
	start = rdtsc();
	EXPECT_TRUE(wait_irqs(11));
	EXPECT_GE(rdtsc() - start, us_to_tsc(limit_us * 10) * 9 / 10);
	EXPECT_LE(rdtsc() - start, us_to_tsc(limit_us * 10) * 11 / 10);
	apic_write(APIC_TMICT, 0);
}

static void timer_masked(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VEC);
	apic_write(APIC_TMICT, 10000);
	delay_us(20000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	EXPECT_EQ(0, apic_read(APIC_TMCCT)); /* it counted nevertheless */
	apic_write(APIC_LVT_TIMER, VEC);
	delay_us(1000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count); /* unmasking afterwards raises nothing */
}

static void timer_restart(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < 5; i++) {
		apic_write(APIC_TMICT, 4000000);
		delay_us(100);
	}
	apic_write(APIC_TMICT, 10000);
	EXPECT_TRUE(wait_irqs(1));
	delay_us(1000);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

static void timer_deadline(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 1; i <= 5; i++) {
		u64 deadline = rdtsc() + us_to_tsc(1000);

		apic_deadline(deadline);
		EXPECT_EQ(deadline, rdmsr(MSR_IA32_TSC_DEADLINE));
		EXPECT_TRUE(wait_irqs(i));
		EXPECT_GE(rdtsc(), deadline);
		if (machine_is_kensho()) /* disarmed by firing; the bare emulator forgets to */
			EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
		EXPECT_EQ(0, apic_read(APIC_TMCCT));
	}
}

static volatile u64 handler_tsc;

static void tsc_irq(struct trap_regs *regs)
{
	handler_tsc = rdtsc();
	apic_eoi();
}

/* The handler runs soon after the deadline and never before it. */
static void timer_deadline_exact(void)
{
	trap_handle(VEC, tsc_irq);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < 20; i++) {
		u64 deadline = rdtsc() + 20000 + i * 37;

		handler_tsc = 0;
		apic_deadline(deadline);
		sti();
		while (handler_tsc == 0 && rdtsc() < deadline + 5000)
			;
		cli();
		EXPECT_GE(handler_tsc, deadline);
		EXPECT_LE(handler_tsc, deadline + 5000);
	}
}

static void timer_deadline_disarm(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + us_to_tsc(300));
	apic_deadline(0);
	EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
	delay_us(1000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	/* later, then sooner: the last write counts */
	apic_deadline(rdtsc() + us_to_tsc(1000000));
	apic_deadline(rdtsc() + us_to_tsc(200));
	EXPECT_TRUE(wait_irqs(1));
	apic_deadline(rdtsc() + us_to_tsc(200));
	apic_deadline(rdtsc() + us_to_tsc(2000));
	delay_us(700);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	EXPECT_TRUE(wait_irqs(2));
	/* the far future never comes */
	apic_deadline(~0ull);
	delay_us(500);
	sti_nop_cli();
	EXPECT_EQ(2, irq_log_count);
}

/* SDM "TSC-Deadline Mode": in another mode WRMSR is ignored, RDMSR gives 0; TMICT the other way. */
static void timer_mode_rules(void)
{
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + 1000);
	EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
	delay_us(500);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, 1000);
	EXPECT_EQ(0, apic_read(APIC_TMCCT));
	delay_us(500);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
}

/* A change between deadline and the counting modes disarms the timer. */
static void timer_mode_switch(void)
{
	u32 ticks; /* of 5.6 ms */

	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + us_to_tsc(2000));
	apic_timer(APIC_TIMER_ONE_SHOT, VEC, APIC_TDCR_BY_1);
	delay_us(4000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	ticks = timer_ticks(APIC_TDCR_BY_1);
	apic_write(APIC_TMICT, ticks);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	if (machine_is_kensho())
		EXPECT_EQ(0, rdmsr(MSR_IA32_TSC_DEADLINE));
	delay_us(9000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
}

/* Expiry while the CPU is busy with IF = 0 stays pending and is visible in the IRR. */
static void timer_pending(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	apic_deadline(rdtsc() + us_to_tsc(100));
	EXPECT_TRUE(!apic_requested(VEC));
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC), 10000));
	EXPECT_EQ(0, irq_log_count);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
}

/* The deadline passes at every point of the exit path: it is never lost and never much too late. */
static void timer_sweep_exits(void)
{
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < 1500; i++) {
		u64 deadline;

		irq_log_count = 0;
		deadline = rdtsc() + i;
		wrmsr(MSR_IA32_TSC_DEADLINE, deadline);
		sti();
		while (irq_log_count == 0 && rdtsc() < deadline + 20000)
			(void)cpuid(0);
		cli();
		if (!EXPECT_AT(irq_log_count == 1, "offset %u: %u interrupts", i, irq_log_count))
			return;
	}
}

/*
 * The deadline passes at every point of a page copy: an interrupt in a string instruction resumes
 * it where it was. @copy moves or stores 4096 bytes and returns what is left of RCX.
 */
static u8 page_from[4096] __attribute__((aligned(4096)));
static u8 page_to[4096] __attribute__((aligned(4096)));

static void sweep_string(u64 (*copy)(void), bool stores)
{
	u32 inside = 0;

	for (u32 i = 0; i < 4096; i++)
		page_from[i] = stores ? 0x5a : (u8)(i * 31 + 7);
	apic_timer(APIC_TIMER_TSC_DEADLINE, VEC, APIC_TDCR_BY_1);
	for (u32 i = 0; i < 900; i++) {
		u64 left;

		memset(page_to, 0xee, sizeof(page_to));
		irq_log_count = 0;
		sti();
		wrmsr(MSR_IA32_TSC_DEADLINE, rdtsc() + i);
		left = copy();
		inside += irq_log_count;
		if (!EXPECT_AT(left == 0 && memcmp(page_from, page_to, sizeof(page_to)) == 0,
			       "offset %u, RCX left 0x%llx", i, left))
			break;
		wait_irqs(1);
	}
	EXPECT_GE(inside, 300);
}

static u64 movs_page(void)
{
	u64 n = 512;
	u8 *to = page_to, *from = page_from;

	asm volatile("rep movsq" : "+c"(n), "+D"(to), "+S"(from) : : "memory");
	return n | (u64)(to - page_to - 4096) | (u64)(from - page_from - 4096);
}

static u64 stos_page(void)
{
	u64 n = 512;
	u8 *to = page_to;

	asm volatile("rep stosq" : "+c"(n), "+D"(to) : "a"(0x5a5a5a5a5a5a5a5aull) : "memory");
	return n | (u64)(to - page_to - 4096);
}

static void timer_sweep_movs(void)
{
	sweep_string(movs_page, false);
}

static void timer_sweep_stos(void)
{
	sweep_string(stos_page, true);
}

#define TIMER_TESTS(prefix, more)                                                                  \
	{ .name = prefix "oneshot", .run = timer_oneshot, .flags = more },                         \
		{ .name = prefix "counts_down", .run = timer_counts_down, .flags = more },         \
		{ .name = prefix "dividers", .run = timer_dividers, .flags = more },               \
		{ .name = prefix "periodic", .run = timer_periodic, .flags = more },               \
		{ .name = prefix "periodic_tiny", .run = timer_periodic_tiny, .flags = more },     \
		{ .name = prefix "period_limit", .run = timer_period_limit, .flags = more },       \
		{ .name = prefix "masked", .run = timer_masked, .flags = more },                   \
		{ .name = prefix "restart", .run = timer_restart, .flags = more },                 \
		{ .name = prefix "deadline", .run = timer_deadline, .flags = more },               \
		{ .name = prefix "deadline_exact", .run = timer_deadline_exact, .flags = more },   \
		{ .name = prefix "deadline_disarm", .run = timer_deadline_disarm, .flags = more }, \
		{ .name = prefix "mode_rules", .run = timer_mode_rules, .flags = more },           \
		{ .name = prefix "mode_switch", .run = timer_mode_switch, .flags = more },         \
		{ .name = prefix "sweep_exits", .run = timer_sweep_exits, .flags = more },         \
		{ .name = prefix "sweep_movs", .run = timer_sweep_movs, .flags = more },           \
		{ .name = prefix "sweep_stos", .run = timer_sweep_stos, .flags = more },           \
	{                                                                                          \
		.name = prefix "pending", .run = timer_pending, .flags = more                      \
	}

static const struct test t_timer_tests[] = {
	TIMER_TESTS("timer_", 0),
	TIMER_TESTS("timer_x2_", T_X2APIC),
};
TEST_GROUP(t_timer);
