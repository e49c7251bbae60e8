/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/irq_fwd.c: vectors of the 8259, and spurious ones, are told from those of the local
 * APIC and wait in a queue; the ones that the guest cannot want any more are dropped.
 */
#include "arch/x86/defs/vmcs.h"
#include "tests/host/apic/irq_sim.h"

static void test_extint_is_told_from_lapic_vectors(void)
{
	apic_test_init(1, false);
	model_pic_irq(2);
	EXPECT_TRUE(model_exit(true));
	EXPECT_EQ(0, irqhw.eois);
	EXPECT_FALSE(virtual_irr(0x32));
	EXPECT_TRUE(VP->event.extint);
	EXPECT_CALL(0x32, extint_take(VP));
	EXPECT_CALL(-1, extint_take(VP));
}

static void test_vector_already_held_is_extint(void)
{
	apic_test_init(1, false);
	model_rte(3, 0x32, true, false);
	model_line(3, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(irq_fwd_is_held(&VP->fwd, 0x32));
	model_pic_irq(2); /* the same number from the 8259 */
	EXPECT_TRUE(model_exit(true));
	EXPECT_CALL(0x32, extint_take(VP));
	EXPECT_EQ(0, irqhw.eois);
	EXPECT_TRUE(irq_fwd_is_held(&VP->fwd, 0x32));
}

static void test_spurious_is_injected_directly(void)
{
	apic_test_init(1, false);
	irq_fwd_accept(VP, model_ack(false));
	EXPECT_EQ(0, irqhw.eois);
	EXPECT_CALL(0xff, extint_take(VP));
}

static void test_extint_fifo_is_bounded(void)
{
	apic_test_init(1, false);
	for (u32 i = 0; i < EXTINT_FIFO + 3; i++)
		irq_fwd_accept(VP, (u8)(0x40 + i));
	EXPECT_EQ(3, VP->counters.c[COUNTER_IRQ_EXTINT_LOST]);
	for (u32 i = 0; i < EXTINT_FIFO; i++)
		EXPECT_CALL(0x40 + i, extint_take(VP));
	EXPECT_FALSE(VP->event.extint);
}

static u32 pic_isr[2], pic_mask[2];

static u32 pic_read(u16 port, u32 size)
{
	return port == 0x20   ? pic_isr[0]
	       : port == 0xa0 ? pic_isr[1]
	       : port == 0x21 ? pic_mask[0]
			      : pic_mask[1];
}

/* What the 8259s were told to end: bit n: IRQ n. */
static u32 pic_ended(void)
{
	u32 ended = 0;

	for (u32 i = 0; i < fake.io_count; i++) {
		const struct fake_io *io = &fake.io[i];

		if (io->write && (io->val & ~7u) == 0x60)
			ended |= 1u << ((io->val & 7) + (io->port == 0xa0 ? 8 : 0));
	}
	return ended;
}

static void test_stale_extint_is_dropped(void)
{
	static const struct {
		bool protected;
		u32 isr[2], mask[2];
		s32 taken;
		u32 ended;
	} rows[] = {
		/* the guest has initialised the 8259: 8 would be #DF */
		{ true, { 0, 0 }, { 0, 0 }, 0x31, 0 },
		/* it has not: an old system that lives with it */
		{ true, { 1, 0 }, { 0, 0 }, 0x08, 0 },
		/* it has masked the line: on the bare machine nothing would come */
		{ true, { 1, 0 }, { 1, 0 }, 0x31, 1 },
		{ true, { 1, 0 }, { 0xff, 0xff }, 0x31, 1 },
		{ true, { 1, 0 }, { 0xfe, 0xff }, 0x08, 0 },
		{ true, { 4, 1 }, { 0, 1 }, 0x31, 0x104 },
		{ true, { 4, 1 }, { 4, 0 }, 0x08, 0 },
		/* the BIOS's own IRQ 0 */
		{ false, { 0, 0 }, { 0, 0 }, 0x08, 0 },
		{ false, { 1, 0 }, { 0xff, 0xff }, 0x08, 0 },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		apic_test_init(1, false);
		fake.io_in = pic_read;
		fake.io_count = 0;
		memcpy(pic_isr, rows[i].isr, sizeof(pic_isr));
		memcpy(pic_mask, rows[i].mask, sizeof(pic_mask));
		hw_vmwrite(VMCS_GUEST_CR0, rows[i].protected);
		irq_fwd_accept(VP, 0x08);
		irq_fwd_accept(VP, 0x31);
		EXPECT_CALL(rows[i].taken, extint_take(VP));
		EXPECT_EQ(rows[i].ended, pic_ended());
	}
}

TEST_MAIN(TEST(test_extint_is_told_from_lapic_vectors), TEST(test_vector_already_held_is_extint),
	  TEST(test_spurious_is_injected_directly), TEST(test_extint_fifo_is_bounded),
	  TEST(test_stale_extint_is_dropped))
