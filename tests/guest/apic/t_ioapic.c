// SPDX-License-Identifier: BSD-2-Clause
// Device interrupts: I/O APIC edge and level, 8259 through ExtINT, pending bits.
// Level is a smoke test on Bochs 2.7, whose I/O APIC has no Remote IRR: no assertion depends on it.

#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define VEC       0x55
#define VEC_LEVEL 0x65

static bool wait_irqs(u32 count)
{
	bool came;

	sti();
	came = WAIT_FOR(irq_log_count >= count, 200000);
	cli();
	return came;
}

static void ioapic_identity(void)
{
	u32 version = ioapic_read(1);

	EXPECT_GE(version & 0xff, 0x11);
	EXPECT_EQ(23, (version >> 16) & 0xff);
}

static void ioapic_edge(void)
{
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	for (u32 i = 1; i <= 10; i++) {
		pit_oneshot(500);
		EXPECT_TRUE(wait_irqs(i));
		EXPECT_EQ(VEC, irq_log[i - 1]);
		EXPECT_TRUE(!apic_in_service(VEC));
	}
	delay_us(2000);
	sti_nop_cli();
	EXPECT_EQ(10, irq_log_count);
}

static void ioapic_edge_periodic(void)
{
	u32 pm = pm_timer(), ticks;

	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	pit_periodic(1193); /* 1 ms */
	EXPECT_TRUE(wait_irqs(50));
	ticks = (pm_timer() - pm) & 0xffffff;
	EXPECT_GE(ticks, PM_TIMER_HZ / 1000 * 47);
	EXPECT_LE(ticks, PM_TIMER_HZ / 1000 * 53);
	pit_stop();
}

/* Rule I6: a device interrupt that waits for IF shows in the IRR the guest reads. */
static void ioapic_edge_pending(void)
{
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	pit_oneshot(500);
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC), 100000));
	EXPECT_TRUE(!apic_in_service(VEC));
	EXPECT_TRUE(!apic_level(VEC));
	EXPECT_EQ(0, irq_log_count);
	sti_nop_cli();
	EXPECT_EQ(1, irq_log_count);
	EXPECT_TRUE(!apic_requested(VEC));
}

static void ioapic_masked(void)
{
	ioapic_route(IOAPIC_PIN_PIT, IOAPIC_RTE_MASKED | VEC, apic_id());
	pit_oneshot(500);
	delay_us(2000);
	sti_nop_cli();
	EXPECT_EQ(0, irq_log_count);
	EXPECT_TRUE(!apic_requested(VEC));
}

static void ioapic_logical(void)
{
	/* in x2APIC mode the 8-bit logical destination is the low byte of the cluster ID */
	u32 dest = apic_mode() == APIC_X2APIC ? x2apic_ldr(apic_id()) & 0xff : 1;

	ioapic_route(IOAPIC_PIN_PIT, VEC | BIT32(11), dest);
	pit_oneshot(500);
	EXPECT_TRUE(wait_irqs(1));
	ioapic_route(IOAPIC_PIN_PIT, VEC | BIT32(11) | 0x100, dest); /* lowest priority */
	pit_oneshot(500);
	EXPECT_TRUE(wait_irqs(2));
}

static void ioapic_com1_edge(void)
{
	ioapic_route(IOAPIC_PIN_COM1, VEC, apic_id());
	for (u32 i = 1; i <= 3; i++) {
		com1_irq_raise();
		EXPECT_TRUE(wait_irqs(i));
		com1_irq_drop();
	}
	EXPECT_EQ(3, irq_log_count);
}

static u32 level_count;
static bool level_isr, level_tmr;

static void level_handler(struct trap_regs *regs)
{
	level_count++;
	level_isr = apic_in_service(VEC_LEVEL);
	level_tmr = apic_level(VEC_LEVEL);
	com1_irq_drop();
	apic_eoi();
}

static void ioapic_level(void)
{
	trap_handle(VEC_LEVEL, level_handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC_LEVEL | IOAPIC_RTE_LEVEL, apic_id());
	level_count = 0;
	for (u32 i = 1; i <= 5; i++) {
		com1_irq_raise();
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count >= i, 10000));
		cli();
		EXPECT_EQ(i, level_count);
		EXPECT_TRUE(level_isr);
		EXPECT_TRUE(level_tmr);
		EXPECT_TRUE(!apic_in_service(VEC_LEVEL));
	}
}

/* A level interrupt is in service; a higher edge one nests in it and is EOIed first. */
static void level_outer(struct trap_regs *regs)
{
	level_count++;
	com1_irq_drop();
	pit_oneshot(200);
	sti();
	EXPECT_TRUE(WAIT_FOR(irq_log_count != 0, 50000));
	cli();
	EXPECT_TRUE(apic_in_service(VEC_LEVEL));
	apic_eoi();
	EXPECT_TRUE(!apic_in_service(VEC_LEVEL));
}

static void ioapic_level_nests(void)
{
	trap_handle(VEC_LEVEL, level_outer);
	ioapic_route(IOAPIC_PIN_COM1, VEC_LEVEL | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(IOAPIC_PIN_PIT, 0x75, apic_id());
	level_count = 0;
	for (u32 i = 1; i <= 3; i++) {
		irq_log_count = 0;
		com1_irq_raise();
		sti();
		EXPECT_TRUE(WAIT_FOR(level_count >= i, 10000));
		cli();
		EXPECT_EQ(i, level_count);
		EXPECT_EQ(1, irq_log_count);
	}
}

/* Rule I6: what a level vector in service blocks in the physical APIC is in the IRR all the same.
 */
static void level_looks(struct trap_regs *regs)
{
	level_count++;
	com1_irq_drop();
	pit_oneshot(200);
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC), 50000));
	EXPECT_EQ(0, irq_log_count);
	apic_eoi();
}

static void ioapic_level_irr(void)
{
	trap_handle(VEC_LEVEL, level_looks);
	ioapic_route(IOAPIC_PIN_COM1, VEC_LEVEL | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	level_count = 0;
	com1_irq_raise();
	EXPECT_TRUE(wait_irqs(1));
	EXPECT_EQ(1, level_count);
	EXPECT_EQ(VEC, irq_log[0]);
}

/* A lower edge interrupt arrives while the level one is in service: it waits for the EOI. */
static void ioapic_level_blocks(void)
{
	trap_handle(VEC_LEVEL, level_handler);
	ioapic_route(IOAPIC_PIN_COM1, VEC_LEVEL | IOAPIC_RTE_LEVEL, apic_id());
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	level_count = 0;
	pit_oneshot(100);
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC), 50000));
	com1_irq_raise();
	EXPECT_TRUE(WAIT_FOR(apic_requested(VEC_LEVEL), 50000));
	sti();
	asm volatile("nop; nop; nop");
	cli();
	EXPECT_EQ(1, level_count);
	EXPECT_EQ(1, irq_log_count);
	EXPECT_EQ(VEC, irq_log[0]);
}

#define PIC_LOW_VECTOR 0x18 /* no exception, and pushes no error code */

static u32 pic_count;
static u8 pic_vectors[8];

static void pic_handler(struct trap_regs *regs)
{
	if (pic_count < 8)
		pic_vectors[pic_count] = (u8)regs->vector;
	pic_count++;
	EXPECT_TRUE(!apic_in_service((u8)regs->vector));
	if (regs->vector == PIC_BASE_VECTOR + 4)
		com1_irq_drop();
	pic_eoi(regs->vector & 7);
}

static void pic_start(void)
{
	pic_count = 0;
	trap_handle(PIC_BASE_VECTOR, pic_handler);
	trap_handle(PIC_BASE_VECTOR + 4, pic_handler);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
}

static bool pic_wait(u32 count)
{
	bool came;

	sti();
	came = WAIT_FOR(pic_count >= count, 100000);
	cli();
	return came;
}

static void pic_extint(void)
{
	pic_start();
	pic_unmask(0);
	for (u32 i = 1; i <= 5; i++) {
		pit_oneshot(500);
		EXPECT_TRUE(pic_wait(i));
		EXPECT_EQ(PIC_BASE_VECTOR, pic_vectors[i - 1]);
	}
	EXPECT_EQ(0, pic_isr());
}

/* With IF = 0 it waits; the TPR has no say over ExtINT. */
static void pic_extint_pending(void)
{
	pic_start();
	pic_unmask(0);
	apic_write(APIC_TPR, 0xf0);
	pit_oneshot(500);
	delay_us(2000);
	EXPECT_EQ(0, pic_count);
	sti_nop_cli();
	EXPECT_EQ(1, pic_count);
}

/*
 * What came with IF = 0 and is masked before IF = 1 does not come, as where nobody acknowledged it
 * in between: under the firmware's vectors it would look like an exception.
 */
static void pic_extint_masked(void)
{
	pic_start();
	trap_handle(PIC_LOW_VECTOR, pic_handler);
	for (u32 i = 0; i < 2; i++) {
		pic_init(PIC_LOW_VECTOR);
		pic_unmask(0);
		pit_oneshot(500);
		asm volatile("sti; cli"); /* Bochs 2.7: interrupts exit from now on */
		delay_us(2000);
		if (i == 0)
			pic_mask_all();
		sti_nop_cli();
		EXPECT_EQ(i, pic_count);
		EXPECT_EQ(0, pic_isr());
	}
	EXPECT_EQ(PIC_LOW_VECTOR, pic_vectors[0]);
	pic_init(PIC_BASE_VECTOR);
}

/* Two requests of the 8259 and one of the APIC wait together: all three arrive, once each. */
static void pic_extint_mixed(void)
{
	pic_start();
	pic_unmask(0);
	pic_unmask(4);
	pit_oneshot(500);
	delay_us(2000);
	com1_irq_raise();
	apic_self_ipi(VEC);
	(void)cpuid(0);
	EXPECT_TRUE(pic_wait(2));
	EXPECT_EQ(2, pic_count);
	EXPECT_EQ(1, irq_log_count);
	EXPECT_EQ(PIC_BASE_VECTOR + PIC_BASE_VECTOR + 4, pic_vectors[0] + pic_vectors[1]);
}

static void pic_extint_wakes_hlt(void)
{
	pic_start();
	pic_unmask(0);
	for (u32 i = 1; i <= 3; i++) {
		pit_oneshot(800);
		sti_hlt_cli();
		EXPECT_EQ(i, pic_count);
	}
}

/* A storm of device interrupts of one source while another one is handled slowly. */
static void ioapic_storm(void)
{
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	ioapic_route(IOAPIC_PIN_COM1, 0x45, apic_id());
	pit_periodic(1200); /* 1 ms: 20 000 instructions on the emulator */
	for (u32 i = 0; i < 50; i++) {
		com1_irq_raise();
		sti();
		delay_us(500);
		(void)cpuid(0);
		cli();
		com1_irq_drop();
	}
	pit_stop();
	sti_nop_cli();
	EXPECT_GE(irq_log_count, 70);
	EXPECT_LE(irq_log_count, 90);
}

/* A device interrupt arrives at every point of the exit path, in root mode too (rule I4). */
static void ioapic_sweep_exits(void)
{
	ioapic_route(IOAPIC_PIN_PIT, VEC, apic_id());
	for (u32 i = 0; i < 300; i++) {
		bool masked = i % 2 != 0;

		irq_log_count = 0;
		pit_oneshot((u16)(40 + i % 3));
		for (u32 j = 0; j < i; j++)
			asm volatile("nop");
		if (!masked)
			sti();
		for (u32 j = 0; j < 200 && irq_log_count == 0; j++)
			(void)cpuid(0);
		(void)WAIT_FOR(irq_log_count != 0 || apic_requested(VEC), 20000);
		sti_nop_cli();
		if (!EXPECT_AT(irq_log_count == 1, "round %u: %u interrupts", i, irq_log_count))
			return;
	}
}

#define IOAPIC_TESTS(prefix, pic, more)                                                         \
	{ .name = prefix "edge", .run = ioapic_edge, .flags = more },                           \
		{ .name = prefix "edge_periodic", .run = ioapic_edge_periodic, .flags = more }, \
		{ .name = prefix "edge_pending", .run = ioapic_edge_pending, .flags = more },   \
		{ .name = prefix "masked", .run = ioapic_masked, .flags = more },               \
		{ .name = prefix "logical", .run = ioapic_logical, .flags = more },             \
		{ .name = prefix "com1_edge", .run = ioapic_com1_edge, .flags = more },         \
		{ .name = prefix "level", .run = ioapic_level, .flags = more },                 \
		{ .name = prefix "level_nests", .run = ioapic_level_nests, .flags = more },     \
		{ .name = prefix "level_blocks", .run = ioapic_level_blocks, .flags = more },   \
		{ .name = prefix "level_irr", .run = ioapic_level_irr, .flags = more },         \
		{ .name = prefix "sweep_exits", .run = ioapic_sweep_exits, .flags = more },     \
		{ .name = prefix "storm", .run = ioapic_storm, .flags = more },                 \
		{ .name = pic "extint", .run = pic_extint, .flags = more },                     \
		{ .name = pic "extint_pending", .run = pic_extint_pending, .flags = more },     \
		{ .name = pic "extint_masked", .run = pic_extint_masked, .flags = more },       \
		{ .name = pic "extint_mixed", .run = pic_extint_mixed, .flags = more },         \
	{                                                                                       \
		.name = pic "extint_wakes_hlt", .run = pic_extint_wakes_hlt, .flags = more      \
	}

static const struct test t_ioapic_tests[] = {
	{ .name = "ioapic_identity", .run = ioapic_identity },
	IOAPIC_TESTS("ioapic_", "pic_", 0),
	IOAPIC_TESTS("ioapic_x2_", "pic_x2_", T_X2APIC),
};
TEST_GROUP(t_ioapic);
