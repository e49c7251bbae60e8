/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/irq_fwd.c: INIT, each way to disable the APIC, and our own start leave nothing behind
 * in the physical one; what a disabled APIC still takes.
 */
#include "tests/host/apic/irq_sim.h"

static void test_init_drains_and_forgets(void)
{
	apic_test_init(1, false);
	model_rte(0, 0x42, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(model_msi(0x33)); /* below 0x42: waits in the physical IRR */
	model_pic_irq(1);
	EXPECT_TRUE(model_exit(true));
	model_line(0, false);
	vlapic_reset(VP, true);
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_FALSE(any_held());
	EXPECT_FALSE(VP->event.extint);
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	EXPECT_EQ(1, VP->counters.c[COUNTER_IRQ_DRAINED]);
	EXPECT_EQ(1, VP->counters.c[COUNTER_IRQ_HELD_DRAINED]);
}

static void test_drain_leaves_the_8259_alone(void)
{
	for (u32 i = 0; i < 6; i++) {
		apic_test_init(1, false);
		irqhw.acks = i; /* varies who is acknowledged first */
		EXPECT_TRUE(model_msi(0x33));
		model_pic_irq(1);
		irq_fwd_drain(VP);
		EXPECT_EQ(0, irqhw.pic_isr);
		EXPECT_EQ(2, irqhw.pic_irr);
		EXPECT_FALSE(any(irqhw.irr));
		EXPECT_EQ(APIC_MODE_EXTINT << 8, irqhw.reg[APIC_LVT_LINT0 >> 4]);
	}
}

/* One level vector held, one edge vector waiting behind it. */
static void set_up_held_and_pending(void)
{
	apic_test_init(1, false);
	model_rte(0, 0x42, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(model_msi(0x33));
	EXPECT_FALSE(model_exit(false));
	model_line(0, false);
}

static void test_every_disable_drains(void)
{
	set_up_held_and_pending();
	vlapic_write(VP, APIC_SVR, 0xff);
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_FALSE(any_held());
	EXPECT_FALSE(irqhw.pin[0].remote_irr);
	EXPECT_TRUE(virtual_irr(0x42)); /* software disabled: the virtual IRR is kept */
	EXPECT_TRUE(virtual_irr(0x33));

	set_up_held_and_pending();
	apic_test_mode(VP, '0');
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_FALSE(any_held());
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
}

static void test_enabling_discards_what_slipped_in(void)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	irqhw.irr[1] = 1u << 0x13; /* 0x33: the bus was faster than our SVR write */
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
}

static void test_own_start_discards_what_firmware_left(void)
{
	u64 base = APIC_BASE_DEFAULT | APIC_BASE_EN | APIC_BASE_BSP;

	apic_test_init(1, false);
	EXPECT_TRUE(model_msi(0x60)); /* firmware's timer: one in service, one pending */
	irqhw.draining = true;
	(void)model_ack(false);
	irqhw.unfinished_edge = -1;
	EXPECT_TRUE(model_msi(0x60));
	vlapic_init(VP, at.page[0]);
	fake_msr_set(MSR_IA32_APIC_BASE, base | APIC_BASE_EXTD);
	irqhw.x2apic = true;
	vlapic_copy_physical(VP);
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any(irqhw.irr));
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	EXPECT_TRUE(vlapic_is_x2apic(&VP->apic)); /* handed over, and never left by us */
	EXPECT_TRUE(irqhw.x2apic);
	EXPECT_EQ(APIC_LVT_MASKED, irqhw.reg[APIC_LVT_TIMER >> 4]);
	EXPECT_EQ(0, irqhw.reg[APIC_TPR >> 4]);
}

static void test_disabled_apic_is_virtual_wire(void)
{
	apic_test_init(1, false);
	vlapic_write(VP, APIC_LVT_LINT0, 0x10700);
	vlapic_write(VP, APIC_LDR, 0x02000000);
	apic_test_mode(VP, '0');
	EXPECT_EQ(0x1ff, irqhw.reg[APIC_SVR >> 4]);
	EXPECT_EQ(0, irqhw.reg[APIC_LDR >> 4]); /* no candidate for lowest priority */
	model_pic_irq(3);
	EXPECT_TRUE(model_exit(true));
	EXPECT_CALL(0x33, extint_take(VP));
	/* A level line must not storm at a disabled APIC: held until it is enabled. */
	model_rte(0, 0x42, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_FALSE(model_exit(false));
	EXPECT_EQ(-1, vlapic_pending_vector(VP));
	apic_test_mode(VP, 'x');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(0x42, vlapic_pending_vector(VP));
}

TEST_MAIN(TEST(test_init_drains_and_forgets), TEST(test_drain_leaves_the_8259_alone),
	  TEST(test_every_disable_drains), TEST(test_enabling_discards_what_slipped_in),
	  TEST(test_own_start_discards_what_firmware_left),
	  TEST(test_disabled_apic_is_virtual_wire))
