/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/irq_fwd.c: rules I1-I7 one by one on the model of the physical hardware. Edges are
 * finished at once, level vectors are held until the guest's EOI, and what it writes is mirrored or
 * not. test_irq_extint.c has the 8259's interrupts, test_irq_drain.c what goes away,
 * test_irq_random.c all of it at once.
 */
#include "tests/host/apic/irq_sim.h"

/* The guest's EOI of its highest vector; the judge is told before the code runs. */
static void guest_eoi(void)
{
	if (VP->apic.highest_isr >= 0)
		irqhw.guest_done[VP->apic.highest_isr] = true;
	vlapic_write(VP, APIC_EOI, 0);
}

static void test_edge_is_finished_at_once(void)
{
	apic_test_init(1, false);
	EXPECT_TRUE(model_msi(0x51));
	EXPECT_TRUE(model_exit(false)); /* model_exit() checks the EOI */
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_TRUE(virtual_irr(0x51));
	EXPECT_FALSE(any_held());
}

static void nest_levels(u8 low, u8 high)
{
	apic_test_init(1, false);
	model_rte(0, low, true, false);
	model_rte(1, high, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	vlapic_accept(VP, low);
	model_line(1, true); /* while the guest runs the handler of @low with IF = 0 */
	EXPECT_TRUE(model_exit(false));
	model_line(0, false);
	guest_eoi(); /* of @low: but @high is the highest in the physical ISR */
	EXPECT_EQ(0, irqhw.eois);
	EXPECT_EQ(high, vlapic_pending_vector(VP));
	vlapic_accept(VP, high);
	model_line(1, false);
	guest_eoi();
	EXPECT_EQ(2, irqhw.eois); /* both, in order */
	EXPECT_FALSE(any(irqhw.isr));
	EXPECT_FALSE(any_held());
	EXPECT_FALSE(irqhw.pin[0].remote_irr);
	EXPECT_FALSE(irqhw.pin[1].remote_irr);
}

static void test_nested_levels_retire_in_hardware_order(void)
{
	nest_levels(0x42, 0x85);
	nest_levels(0x42, 0x55); /* in one word of the registers */
}

static void test_level_comes_again_iff_the_line_is_up(void)
{
	for (u32 again = 0; again < 2; again++) {
		apic_test_init(1, false);
		model_rte(0, 0x42, true, false);
		model_line(0, true);
		EXPECT_TRUE(model_exit(false));
		vlapic_accept(VP, 0x42);
		EXPECT_FALSE(model_exit(false));
		model_line(0, again);
		guest_eoi();
		EXPECT_CALL(again, model_exit(false));
		EXPECT_EQ(again, virtual_irr(0x42));
	}
}

/* Held like a line's; its EOI broadcast meets no entry of the I/O APIC, nothing sends it again. */
static void test_level_msi_is_held_until_its_eoi(void)
{
	apic_test_init(1, false);
	model_rte(0, 0x42, true, false);
	model_line(0, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(model_msi_level(0x63));
	EXPECT_TRUE(model_exit(false));
	EXPECT_TRUE(irq_fwd_is_held(&VP->fwd, 0x63));
	EXPECT_EQ(BIT32(3), vlapic_read(VP, APIC_TMR + 0x30) & BIT32(3));
	EXPECT_EQ(0, irqhw.eois);
	vlapic_accept(VP, 0x63);
	EXPECT_TRUE(model_msi_level(0x63)); /* the device has more, before the EOI */
	EXPECT_FALSE(model_exit(false));
	guest_eoi();
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_TRUE(irqhw.pin[0].remote_irr); /* of another vector */
	EXPECT_TRUE(model_exit(false));
	vlapic_accept(VP, 0x63);
	guest_eoi();
	EXPECT_FALSE(model_exit(false));
	EXPECT_FALSE(irq_fwd_is_held(&VP->fwd, 0x63));
	EXPECT_EQ(0x42, vlapic_pending_vector(VP));
}

static void test_windows_accept_as_exits_do(void)
{
	apic_test_init(1, false);
	EXPECT_TRUE(model_msi(0x51));
	hw_irq_window();
	EXPECT_TRUE(virtual_irr(0x51));
	EXPECT_EQ(1, irqhw.eois);
}

static void test_virtual_wire_is_copied(void)
{
	apic_test_init(1, false);
	EXPECT_EQ(0x1ff, vlapic_read(VP, APIC_SVR));
	EXPECT_EQ(APIC_MODE_EXTINT << 8, vlapic_read(VP, APIC_LVT_LINT0));
	EXPECT_EQ(APIC_MODE_NMI << 8, vlapic_read(VP, APIC_LVT_LINT1));
	EXPECT_EQ(APIC_LVT_MASKED, vlapic_read(VP, APIC_LVT_TIMER));
}

static void test_irr_reads_include_the_physical_irr(void)
{
	apic_test_init(1, false);
	EXPECT_TRUE(model_msi(0x51)); /* physical only */
	vlapic_set_irr(VP, 0x52, false);
	EXPECT_EQ(BIT32(0x11) | BIT32(0x12), vlapic_read(VP, APIC_IRR + 0x20));
}

static void test_exactly_the_listed_registers_are_mirrored(void)
{
	static const struct {
		u32 reg, val;
		bool mirrored;
	} rows[] = {
		{ APIC_SVR, 0x13f | APIC_SVR_EOI_SUPPRESS, true },
		{ APIC_LVT_LINT0, 0x700, true },
		{ APIC_LVT_LINT1, 0x10400, true },
		{ APIC_LVT_THERMAL, 0xfa, true },
		{ APIC_LVT_CMCI, 0xf9, true },
		{ APIC_LDR, 0x04000000, true },
		{ APIC_DFR, APIC_DFR_CLUSTER, true },
		{ APIC_TPR, 0x20, false },
		{ APIC_ID, 0x07000000, false },
		{ APIC_LVT_TIMER, 0xec, false },
		{ APIC_LVT_PERF, 0xfe, false },
		{ APIC_LVT_ERROR, 0xfe, false },
		{ APIC_TMICT, 1000, false },
		{ APIC_TDCR, 0xb, false },
		{ APIC_ICR2, 0x01000000, false },
		{ APIC_ESR, 0, false },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		apic_test_init(1, false);
		vlapic_write(VP, rows[i].reg, rows[i].val);
		for (u32 n = 0; n < ARRAY_SIZE(irqhw.writes); n++)
			EXPECT_EQ(rows[i].mirrored && n == rows[i].reg >> 4, irqhw.writes[n]);
		if (rows[i].mirrored)
			EXPECT_EQ(rows[i].val, irqhw.reg[rows[i].reg >> 4]);
	}
}

/* Whatever the guest does: firmware throttles the CPU from system-management mode. */
static void test_smi_entries_stay_the_firmwares(void)
{
	static const u32 entries[] = { APIC_LVT_THERMAL, APIC_LVT_CMCI };

	for (u32 i = 0; i < ARRAY_SIZE(entries); i++) {
		u32 *reg = &irqhw.reg[entries[i] >> 4];

		apic_test_init(1, false);
		hw_lapic_write(APIC_SVR, 0x1ff);
		*reg = APIC_MODE_SMI << 8;
		vlapic_copy_physical(VP);
		EXPECT_EQ(APIC_MODE_SMI << 8, vlapic_read(VP, entries[i])); /* the guest sees it */
		vlapic_write(VP, entries[i], 0xfa);
		EXPECT_EQ(0xfa, vlapic_read(VP, entries[i]));
		EXPECT_EQ(APIC_MODE_SMI << 8, *reg);
		vlapic_write(VP, APIC_SVR, 0xff); /* masks all entries */
		vlapic_write(VP, APIC_SVR, 0x1ff);
		EXPECT_EQ(APIC_MODE_SMI << 8, *reg);
		apic_test_mode(VP, '2');
		apic_test_mode(VP, '0');
		EXPECT_EQ(APIC_MODE_SMI << 8, *reg);
		apic_test_mode(VP, 'x'); /* resets the physical APIC */
		vlapic_write(VP, APIC_SVR, 0x1ff);
		EXPECT_EQ(APIC_MODE_SMI << 8, *reg);
		vlapic_reset(VP, true);
		vlapic_write(VP, APIC_SVR, 0x1ff);
		EXPECT_EQ(APIC_MODE_SMI << 8, *reg);
	}
	apic_test_init(1, false);
	hw_lapic_write(APIC_SVR, 0x1ff);
	vlapic_copy_physical(VP); /* not in SMI mode: the guest's */
	vlapic_write(VP, APIC_LVT_THERMAL, APIC_MODE_SMI << 8);
	vlapic_write(VP, APIC_LVT_THERMAL, 0xfa);
	EXPECT_EQ(0xfa, irqhw.reg[APIC_LVT_THERMAL >> 4]);
}

TEST_MAIN(TEST(test_smi_entries_stay_the_firmwares), TEST(test_edge_is_finished_at_once),
	  TEST(test_nested_levels_retire_in_hardware_order),
	  TEST(test_level_comes_again_iff_the_line_is_up),
	  TEST(test_level_msi_is_held_until_its_eoi), TEST(test_windows_accept_as_exits_do),
	  TEST(test_virtual_wire_is_copied), TEST(test_irr_reads_include_the_physical_irr),
	  TEST(test_exactly_the_listed_registers_are_mirrored))
