// SPDX-License-Identifier: BSD-2-Clause
// testdev=on: software lines and the virtual I/O APIC. Named runs only: without the option these
// ports and addresses belong to the machine. Longer than usual: one property per function, most run
// in both APIC modes.

#include "arch/x86/defs/vector.h"
#include "tests/guest/dev/testdev.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

static void ioapic_registers(void)
{
	u32 id = ioapic_read(0);

	EXPECT_EQ(0x170020, ioapic_read(1));
	ioapic_write(0, 0x0b000000);
	EXPECT_EQ(0x0b000000, ioapic_read(0));
	ioapic_write(0, id);
	ioapic_write(1, 0);
	EXPECT_EQ(0x170020, ioapic_read(1));
	for (u32 pin = 0; pin < 24; pin++) {
		ioapic_write(0x11 + 2 * pin, 0x5a000000 + pin);
		ioapic_write(0x10 + 2 * pin, IOAPIC_RTE_MASKED | (0x30 + pin) | REMOTE | 0x1000);
	}
	for (u32 pin = 0; pin < 24; pin++) {
		EXPECT_EQ(0x5a000000 + pin, ioapic_read(0x11 + 2 * pin));
		EXPECT_EQ(IOAPIC_RTE_MASKED | (0x30 + pin), entry(pin));
	}
	EXPECT_EQ(0, ioapic_read(0x40));
	EXPECT_GE(cost_of_read((const volatile u32 *)(uintptr_t)IOAPIC_ADDR), EXIT_COST);
}

static void line_edge(void)
{
	lines_down();
	sti();
	for (u32 pin = 0; pin < 24; pin++) {
		u32 n = pin == 2 ? 0 : pin; /* line 0 is pin 2 */

		if (pin == 0)
			continue;
		irq_log_count = 0;
		ioapic_route(pin, VEC, apic_id());
		line(n, 1);
		EXPECT_EQ(1, irq_log_count); /* at once */
		line(n, 1);
		line(n, 0);
		EXPECT_EQ(1, irq_log_count);
		EXPECT_TRUE(!remote_irr(pin));
		line(n, 0xff);
		EXPECT_EQ(2, irq_log_count);
		line(n, 0);
		ioapic_route(pin, IOAPIC_RTE_MASKED, 0);
	}
	cli();
}

/* While IF is 0 edges of one vector become one interrupt; of two vectors the higher comes first. */
static void line_edge_pending(void)
{
	lines_down();
	ioapic_route(PIN, VEC, apic_id());
	ioapic_route(PIN_2, HIGH, apic_id());
	pulse(PIN);
	EXPECT_TRUE(apic_requested(VEC));
	EXPECT_TRUE(!apic_level(VEC));
	pulse(PIN);
	pulse(PIN_2);
	EXPECT_EQ(0, irq_log_count);
	sti_nop_cli();
	EXPECT_EQ(2, irq_log_count);
	EXPECT_EQ(HIGH, irq_log[0]);
	EXPECT_EQ(VEC, irq_log[1]);
	EXPECT_EQ(irq_log_rip[0], irq_log_rip[1]);
}

static void line_edge_masked(void)
{
	lines_down();
	ioapic_route(PIN, VEC | IOAPIC_RTE_MASKED, apic_id());
	pulse(PIN);
	line(PIN, 1);
	ioapic_write(0x10 + 2 * PIN, VEC);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	line(PIN, 0);
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	line(PIN, 0);
}

static volatile u32 level_count;
static u32 level_rounds, level_pin;
static bool level_tmr, level_remote;

/* The line stays up for level_rounds interrupts. */
static void level_handler(struct trap_regs *regs)
{
	level_tmr = apic_level((u8)regs->vector);
	level_remote = remote_irr(level_pin);
	if (++level_count >= level_rounds)
		line(level_pin, 0);
	apic_eoi();
}

static void level_begin(u32 rounds)
{
	lines_down();
	trap_handle(VEC, level_handler);
	level_count = 0;
	level_rounds = rounds;
	level_pin = PIN;
	level_tmr = level_remote = false;
}

static void line_level(void)
{
	for (u32 rounds = 1; rounds <= 5; rounds++) {
		level_begin(rounds);
		ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL | (rounds & 1 ? LOW : 0), apic_id());
		line(PIN, 1);
		EXPECT_TRUE(remote_irr(PIN));
		EXPECT_TRUE(apic_requested(VEC));
		EXPECT_TRUE(apic_level(VEC));
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count == rounds, 1000));
		cli();
		EXPECT_EQ(rounds, level_count);
		EXPECT_TRUE(level_tmr);
		EXPECT_TRUE(level_remote);
		EXPECT_TRUE(!remote_irr(PIN));
		EXPECT_TRUE(!apic_in_service(VEC));
		EXPECT_TRUE(!apic_requested(VEC));
	}
}

/* A line that drops before the interrupt is taken: it still comes, once. */
static void line_level_drops(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	pulse(PIN);
	pulse(PIN);
	EXPECT_TRUE(remote_irr(PIN));
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
	EXPECT_TRUE(!remote_irr(PIN));
}

static void line_level_masked(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED, apic_id());
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(0, level_count);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
	/* Masked in between: the EOI does not send it again, unmasking does. */
	level_rounds = 3;
	line(PIN, 1);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	sti_nop_cli();
	EXPECT_EQ(2, level_count);
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_LEVEL);
	sti_nop_cli();
	EXPECT_EQ(3, level_count);
}

/* An entry switched to edge and back: the way out of a Remote IRR whose EOI got lost. */
static void line_level_to_edge(void)
{
	level_begin(1);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	EXPECT_TRUE(remote_irr(PIN));
	ioapic_write(0x10 + 2 * PIN, VEC | IOAPIC_RTE_MASKED);
	EXPECT_TRUE(!remote_irr(PIN));
	line(PIN, 0);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
}

/* A higher edge nests in the level handler and is EOIed first. */
static void nesting_handler(struct trap_regs *regs)
{
	level_count++;
	line(PIN, 0);
	pulse(PIN_2);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	EXPECT_TRUE(remote_irr(PIN));
	EXPECT_TRUE(apic_in_service(VEC));
	apic_eoi();
	EXPECT_TRUE(!remote_irr(PIN));
}

static void line_level_nests(void)
{
	level_begin(1);
	trap_handle(VEC, nesting_handler);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(PIN_2, HIGH, apic_id());
	line(PIN, 1);
	sti_nop_cli();
	EXPECT_EQ(1, level_count);
}

/* One line drops after five interrupts, the other after ten. */
static void shared_handler(struct trap_regs *regs)
{
	level_count++;
	if (level_count == 5)
		line(PIN, 0);
	if (level_count == 10)
		line(PIN_2, 0);
	apic_eoi();
}

/* Two pins share a vector: an EOI ends both messages, and both lines count. */
static void line_level_shared(void)
{
	level_begin(1);
	trap_handle(VEC, shared_handler);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(PIN_2, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	line(PIN_2, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(level_count >= 10, 5000));
	cli();
	EXPECT_EQ(10, level_count);
	EXPECT_TRUE(!remote_irr(PIN) && !remote_irr(PIN_2));
}

static void directed_handler(struct trap_regs *regs)
{
	level_count++;
	apic_eoi();
	level_remote = remote_irr(PIN); /* no broadcast */
	if (level_count == 2)
		line(PIN, 0);
	mmio_write32(IOAPIC_ADDR + 0x40, VEC);
}

static void directed_eoi(void)
{
	level_begin(1);
	if ((apic_read(APIC_VERSION) & APIC_VERSION_EOI_SUPPRESS) == 0) {
		/* The EOI register works without the feature, too. */
		ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
		pulse(PIN);
		EXPECT_TRUE(remote_irr(PIN));
		mmio_write32(IOAPIC_ADDR + 0x40, VEC + 1);
		EXPECT_TRUE(remote_irr(PIN));
		mmio_write32(IOAPIC_ADDR + 0x40, VEC);
		EXPECT_TRUE(!remote_irr(PIN));
		sti_nop_cli();
		EXPECT_EQ(1, level_count);
		return;
	}
	trap_handle(VEC, directed_handler);
	apic_write(APIC_SVR, APIC_SVR_ENABLE | APIC_SVR_EOI_SUPPRESS | SPURIOUS_VECTOR);
	ioapic_route(PIN, VEC | IOAPIC_RTE_LEVEL, apic_id());
	line(PIN, 1);
	sti();
	EXPECT_TRUE(WAIT_FOR(level_count == 2, 1000));
	cli();
	EXPECT_TRUE(level_remote);
	EXPECT_TRUE(!remote_irr(PIN));
	apic_write(APIC_SVR, APIC_SVR_ENABLE | SPURIOUS_VECTOR);
}

static void line_destinations(void)
{
	u32 own;

	(void)smp_count();
	own = logical_id(0);
	lines_down();
	sti();
	ioapic_route(PIN, VEC | LOGICAL, own);
	pulse(PIN);
	EXPECT_EQ(1, irq_log_count);
	ioapic_route(PIN, VEC | LOGICAL, ~own & 0x7f);
	pulse(PIN);
	EXPECT_EQ(1, irq_log_count);
	ioapic_route(PIN, VEC | LOGICAL | LOWEST, own);
	pulse(PIN);
	EXPECT_EQ(2, irq_log_count);
	ioapic_route(PIN, VEC, 0xff);
	pulse(PIN);
	EXPECT_EQ(3, irq_log_count);
	ioapic_route(PIN, VEC, 0x7e); /* nobody */
	pulse(PIN);
	EXPECT_EQ(3, irq_log_count);
	cli();
}

static volatile u32 nmi_count;

static void nmi_handler(struct trap_regs *regs)
{
	nmi_count++;
}

static void line_nmi(void)
{
	lines_down();
	nmi_count = 0;
	trap_handle(EXC_NMI, nmi_handler);
	ioapic_route(PIN, NMI, apic_id());
	pulse(PIN);
	EXPECT_EQ(1, nmi_count);
}

/* TPR and IF hold it back, HLT wakes for it. */
static void line_waits(void)
{
	lines_down();
	ioapic_route(PIN, VEC, apic_id());
	apic_write(APIC_TPR, VEC & 0xf0);
	sti();
	pulse(PIN);
	EXPECT_EQ(0, irq_log_count);
	apic_write(APIC_TPR, 0);
	asm volatile("nop; nop");
	EXPECT_EQ(1, irq_log_count);
	cli();
	pulse(PIN);
	sti_hlt_cli();
	EXPECT_EQ(2, irq_log_count);
}

/* A device of the machine and a software line on one pin: both come through one entry. */
static void line_and_device(void)
{
	lines_down();
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	pit_oneshot(500);
	sti();
	EXPECT_TRUE(WAIT_FOR(irq_log_count == 1, 20000));
	pulse(0);
	EXPECT_EQ(2, irq_log_count);
	cli();
	pit_oneshot(100);
	pulse(0);
	delay_us(500);
	sti_nop_cli();
	EXPECT_GE(irq_log_count, 3);
	EXPECT_LE(irq_log_count, 4);
}

/* Level: the UART's line and the software line of pin 4 in turn and together. */
static void both_handler(struct trap_regs *regs)
{
	level_count++;
	com1_irq_drop();
	line(IOAPIC_PIN_COM1, 0);
	apic_eoi();
}

static void line_and_device_level(void)
{
	lines_down();
	level_count = 0;
	trap_handle(VEC, both_handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC | IOAPIC_RTE_LEVEL, apic_id());
	for (u32 i = 0; i < 6; i++) {
		u32 before = level_count;

		if (i != 1)
			com1_irq_raise();
		if (i != 0)
			line(IOAPIC_PIN_COM1, 1);
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count != before, 5000));
		cli();
		sti_nop_cli();
		EXPECT_TRUE(!apic_in_service(VEC));
		EXPECT_TRUE(!remote_irr(IOAPIC_PIN_COM1));
	}
}

#define BOTH(prefix, more)                                                                         \
	{ .name = prefix "line_edge", .run = line_edge, .flags = more },                           \
		{ .name = prefix "line_edge_pending", .run = line_edge_pending, .flags = more },   \
		{ .name = prefix "line_edge_masked", .run = line_edge_masked, .flags = more },     \
		{ .name = prefix "line_level", .run = line_level, .flags = more },                 \
		{ .name = prefix "line_level_drops", .run = line_level_drops, .flags = more },     \
		{ .name = prefix "line_level_masked", .run = line_level_masked, .flags = more },   \
		{ .name = prefix "line_level_to_edge", .run = line_level_to_edge, .flags = more }, \
		{ .name = prefix "line_level_nests", .run = line_level_nests, .flags = more },     \
		{ .name = prefix "line_level_shared", .run = line_level_shared, .flags = more },   \
		{ .name = prefix "directed_eoi", .run = directed_eoi, .flags = more },             \
		{ .name = prefix "line_destinations", .run = line_destinations, .flags = more },   \
		{ .name = prefix "line_nmi", .run = line_nmi, .flags = more },                     \
		{ .name = prefix "line_waits", .run = line_waits, .flags = more },                 \
		{ .name = prefix "line_and_device", .run = line_and_device, .flags = more },       \
	{                                                                                          \
		.name = prefix "line_and_device_level", .run = line_and_device_level,              \
		.flags = more                                                                      \
	}

static const struct test t_testdev_lines_tests[] = {
	{ .name = "testdev_ioapic_registers", .run = ioapic_registers, .flags = T_NAMED },
	BOTH("testdev_", T_NAMED),
	BOTH("testdev_x2_", T_NAMED | T_X2APIC),
};
TEST_GROUP(t_testdev_lines);
