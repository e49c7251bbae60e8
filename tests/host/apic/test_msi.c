/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Message-signalled interrupts. They need no code of ours: what must be right are the registers of
 * the physical local APICs (rule I7), so that a message finds the CPUs that the guest's virtual
 * registers name, and rules I1-I5 for what it brings, level-triggered messages included.
 */
#include "core/apic/irq_fwd.h"
#include "core/vp/event.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_bus.h"
#include "tests/host/models/apic_vp.h"

static bool page_bit(u32 cpu, u32 reg, u32 vector)
{
	return (vlapic_reg(&at.vp[cpu].apic, reg + vector / 32 * 16) >> (vector % 32)) & 1;
}

static bool requested(u32 cpu, u32 vector)
{
	return page_bit(cpu, APIC_IRR, vector);
}

static void as_cpu_write(u32 cpu, u32 reg, u32 val)
{
	apic_bus_run(cpu);
	vlapic_write(&at.vp[cpu], reg, val);
}

static void as_cpu_mode(u32 cpu, char mode)
{
	apic_bus_run(cpu);
	apic_test_mode(&at.vp[cpu], mode);
	if (mode != '0')
		vlapic_write(&at.vp[cpu], APIC_SVR, 0x1ff);
}

static u32 mode_bits(u32 mode)
{
	return (u32)FIELD_PREP(MSI_DATA_MODE, mode);
}

static struct msi message(u8 dest, bool logical, u32 data)
{
	u64 address = FIELD_PREP(MSI_ADDR_BASE, MSI_ADDR_BASE_VALUE) |
		      FIELD_PREP(MSI_ADDR_DEST, dest) |
		      (logical ? MSI_ADDR_LOGICAL | MSI_ADDR_REDIRECT : 0);

	return (struct msi){ (u32)address, data };
}

/* Take what waits at each CPU; the VPs with @vector in their IRR. */
static u32 receivers(u8 vector)
{
	u32 mask = 0;

	for (u32 i = 0; i < BUS_CPUS; i++) {
		apic_bus_run(i);
		while (model_exit(false))
			;
		mask |= (u32)requested(i, vector) << i;
	}
	return mask;
}

static void finish(u8 vector)
{
	for (u32 i = 0; i < BUS_CPUS; i++) {
		if (!requested(i, vector))
			continue;
		apic_bus_run(i);
		vlapic_accept(&at.vp[i], vector);
		irqhw.guest_done[vector] = true;
		vlapic_write(&at.vp[i], APIC_EOI, 0);
		EXPECT_EQ(-1, model_highest(irqhw.isr));
	}
}

/*
 * An APIC that the guest has disabled for good is a virtual wire: its physical one is enabled,
 * takes what names its ID or everybody, and drops it, or holds it when it is level. In x2APIC mode
 * it also takes what names its logical ID, which nobody can change.
 */
static bool may_vanish(u8 dest, bool logical)
{
	for (u32 i = 0; i < BUS_CPUS; i++) {
		bool named = !logical || apic_bus_cpu(i)->x2apic || dest == 0xff;

		if (!vlapic_is_hw_enabled(&at.vp[i].apic) && named)
			return true;
	}
	return false;
}

static void check_one(u8 dest, bool logical, bool lowest, u8 vector)
{
	bool level = test_rng() % 2;
	struct msi m = message(dest, logical,
			       vector | mode_bits(lowest ? APIC_MODE_LOWEST : APIC_MODE_FIXED) |
				       (level ? MSI_DATA_LEVEL | MSI_DATA_ASSERT : 0));
	u32 want = apic_bus_guest_targets(dest, logical, true), got;

	(void)apic_bus_msi(&m);
	got = receivers(vector);
	if (lowest && want != 0) {
		EXPECT_EQ(0, (got & ~want) | (got & (got - 1)));
		EXPECT_TRUE(got != 0 || may_vanish(dest, logical));
	} else {
		EXPECT_EQ(want, got);
	}
	for (u32 i = 0; i < BUS_CPUS; i++) {
		if (vlapic_is_hw_enabled(&at.vp[i].apic))
			EXPECT_EQ(level && (got >> i & 1), irq_fwd_is_held(&at.vp[i].fwd, vector));
		if (got >> i & 1)
			EXPECT_EQ(level, page_bit(i, APIC_TMR, vector));
	}
	finish(vector);
}

/* All destinations, fixed and lowest priority, edge and level, as the APICs stand. */
static void check_all_destinations(void)
{
	for (u32 n = 0; n < 4 * 256; n++)
		check_one((u8)n, n & 0x100, n & 0x200, (u8)(0x40 + n % 0xa0));
}

static void set_logical(u32 cpu, u8 ldr, u32 dfr)
{
	as_cpu_write(cpu, APIC_LDR, (u32)ldr << 24);
	as_cpu_write(cpu, APIC_DFR, dfr);
}

static void test_flat_destinations(void)
{
	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++)
		set_logical(i, (u8)(1u << i), APIC_DFR_FLAT);
	check_all_destinations();
}

static void test_cluster_destinations(void)
{
	static const u8 ldr[] = { 0x11, 0x12, 0x21, 0x28 };

	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++)
		set_logical(i, ldr[i], APIC_DFR_CLUSTER);
	check_all_destinations();
}

static void test_x2apic_destinations(void)
{
	struct msi m = message(0x20, true, 0x51);

	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++)
		as_cpu_mode(i, '2');
	check_all_destinations();
	EXPECT_EQ(1u << 2, apic_bus_msi(&m)); /* bit 5 of cluster 0: APIC ID 5 */
	EXPECT_EQ(1u << 2, receivers(0x51));
}

/* The guest changes modes, enables and logical IDs at random, each CPU by itself. */
static void test_destinations_follow_every_change(void)
{
	static const char modes[] = { 'x', '2', '0' };

	apic_bus_init();
	for (u32 run = 0; run < 60; run++) {
		u32 cpu = (u32)(test_rng() % BUS_CPUS);
		u32 what = (u32)(test_rng() % 4);

		if (what == 0)
			as_cpu_mode(cpu, modes[test_rng() % 3]);
		else if (what == 1 && vlapic_is_hw_enabled(&at.vp[cpu].apic))
			as_cpu_write(cpu, APIC_SVR, test_rng() % 3 ? 0x1ff : 0xff);
		else if (vlapic_is_hw_enabled(&at.vp[cpu].apic) &&
			 !vlapic_is_x2apic(&at.vp[cpu].apic))
			set_logical(cpu, (u8)test_rng(),
				    test_rng() % 2 ? APIC_DFR_FLAT : APIC_DFR_CLUSTER);
		check_all_destinations();
	}
}

/* Not in the format: other addresses, de-assert. Nobody takes them. */
static void test_what_is_no_interrupt(void)
{
	struct msi deassert = message(0, false, 0x51 | MSI_DATA_LEVEL);
	struct msi elsewhere = { 0xfed00000, 0x51 };

	apic_bus_init();
	EXPECT_EQ(0, apic_bus_msi(&deassert));
	EXPECT_EQ(0, apic_bus_msi(&elsewhere));
	EXPECT_EQ(0, receivers(0x51));
}

static u32 no_nmi_source(u16 port, u32 size)
{
	return 0;
}

/*
 * Delivery mode NMI: the CPU's NMI is the guest's, unless it is a kick. Both in either order: one
 * of them is the guest's (rule K2).
 */
static void test_nmi_message_is_the_guest_s(void)
{
	struct msi m = message(5, false, mode_bits(APIC_MODE_NMI) | 0x51);
	struct vp *vp = &at.vp[2];

	for (u32 kick = 0; kick < 2; kick++) {
		apic_bus_init();
		fake.io_in = no_nmi_source;
		EXPECT_EQ(1u << 2, apic_bus_msi(&m));
		EXPECT_EQ(1, apic_bus_nmis[2]);
		EXPECT_EQ(0, apic_bus_nmis[0] + apic_bus_nmis[1] + apic_bus_nmis[3]);
		apic_bus_run(2);
		vp->kicked = kick;
		for (u32 i = 0; i < apic_bus_nmis[2] + kick; i++) {
			EXPECT_FALSE(vp->event.nmis_pending);
			vp_nmi_received(vp);
			EXPECT_EQ(i == kick, vp->event.nmis_pending);
			EXPECT_EQ(0, vp->kicked);
		}
		EXPECT_EQ(0, receivers(0x51));
	}
}

/* --- at random: messages and lines to all CPUs, whose guests handle them --- */

static const u8 level_vectors[] = { 0x42, 0x61, 0x85 }; /* of pins 0-2 */
static const u8 edge_vectors[] = { 0x44, 0x71 };        /* of pins 3 and 4 */
static const u8 msi_edge[] = { 0x33, 0x62, 0x91, 0xe1 };
static const u8 msi_level[] = { 0x32, 0x63, 0xa5, 0xd5, 0x61 }; /* the last: with that of pin 1 */

#define LEVEL_PINS ARRAY_SIZE(level_vectors)
#define PINS       (LEVEL_PINS + ARRAY_SIZE(edge_vectors))

static struct guest {
	bool accepting;
	u32 isr[8];
} guest[BUS_CPUS];

static u64 delivered, held;

static u32 self(void)
{
	return irqhw.vp->index;
}

static void count_accept(u8 vector, bool extint)
{
	if (extint)
		fail_msg("vector 0x%x came as ExtINT", vector);
	if (!guest[self()].accepting || requested(self(), vector))
		irqhw.tokens[vector]--;
}

static void check_invariants(void)
{
	for (u32 i = 0; i < BUS_CPUS; i++) {
		const struct apic_model *cpu = apic_bus_cpu(i);

		for (u32 v = 16; v < 256; v++) {
			EXPECT_EQ((u32)model_bit(cpu->irr, v) + requested(i, v), cpu->tokens[v]);
			EXPECT_EQ(irq_fwd_is_held(&at.vp[i].fwd, (u8)v), model_bit(cpu->isr, v));
			EXPECT_EQ(model_bit(guest[i].isr, v), page_bit(i, APIC_ISR, v));
		}
		EXPECT_TRUE(apic_test_check_caches(&at.vp[i].apic));
	}
}

static s32 pin_of(u8 vector)
{
	for (u32 i = 0; i < LEVEL_PINS; i++)
		if (level_vectors[i] == vector)
			return (s32)i;
	return -1;
}

static void guest_takes(u32 cpu)
{
	s32 vector = vlapic_pending_vector(&at.vp[cpu]);

	if (vector < 0)
		return;
	vlapic_accept(&at.vp[cpu], (u8)vector);
	if (irqhw.tokens[vector] == 0)
		fail_msg("vector 0x%x delivered more often than sent", (u32)vector);
	irqhw.tokens[vector]--;
	guest[cpu].isr[vector / 32] |= 1u << (vector % 32);
	delivered++;
	held += irq_fwd_is_held(&at.vp[cpu].fwd, (u8)vector);
	if (pin_of((u8)vector) >= 0 && test_rng() % 4 != 0)
		model_line((u32)pin_of((u8)vector), false);
}

static void guest_finishes(u32 cpu)
{
	s32 vector = model_highest(guest[cpu].isr);

	if (vector < 0)
		return;
	guest[cpu].isr[vector / 32] &= ~(1u << (vector % 32));
	irqhw.guest_done[vector] = true;
	vlapic_write(&at.vp[cpu], APIC_EOI, 0);
	if (pin_of((u8)vector) >= 0 && test_rng() % 2)
		model_line((u32)pin_of((u8)vector), false);
}

static void guest_moves_pin(void)
{
	u32 pin = (u32)(test_rng() % PINS);
	struct model_pin *p = &irqhw.pin[pin];

	p->logical = test_rng() % 2;
	p->dest = (u8)(p->logical ? 1u << test_rng() % 3 : at.vp[test_rng() % 4].apic_id);
	p->mode = test_rng() % 2 ? APIC_MODE_FIXED : APIC_MODE_LOWEST;
	model_rte(pin, p->vector, p->level, test_rng() % 8 == 0);
}

static void guest_disables(u32 cpu)
{
	guest_takes(cpu);
	vlapic_write(&at.vp[cpu], APIC_SVR, 0xff);
	guest[cpu].accepting = false;
	check_invariants();
	vlapic_write(&at.vp[cpu], APIC_SVR, 0x1ff);
	guest[cpu].accepting = true;
}

static void device_sends(void)
{
	bool level = test_rng() % 2;
	u8 vector = level ? msi_level[test_rng() % ARRAY_SIZE(msi_level)]
			  : msi_edge[test_rng() % ARRAY_SIZE(msi_edge)];
	u32 mode = test_rng() % 3 == 0 ? APIC_MODE_LOWEST : APIC_MODE_FIXED;
	struct msi m =
		message((u8)(1u << test_rng() % 6), test_rng() % 2,
			vector | mode_bits(mode) | (level ? MSI_DATA_LEVEL | MSI_DATA_ASSERT : 0));

	if (test_rng() % 32 == 0)
		m = message(0xff, test_rng() % 2, m.data);
	(void)apic_bus_msi(&m);
}

static void step(u32 cpu)
{
	u32 pin = (u32)(test_rng() % PINS);

	apic_bus_run(cpu);
	switch (test_rng() % 8) {
	case 0:
		device_sends();
		break;
	case 1:
		model_line(pin, pin < LEVEL_PINS || !irqhw.pin[pin].line);
		break;
	case 2:
	case 3:
		if (test_rng() % 8 == 0)
			hw_irq_window();
		else
			(void)model_exit(false);
		break;
	case 4:
	case 5:
		guest_takes(cpu);
		break;
	case 6:
		guest_finishes(cpu);
		break;
	default:
		if (test_rng() % 8 == 0)
			guest_moves_pin();
		else if (test_rng() % 64 == 0)
			guest_disables(cpu);
		break;
	}
	check_invariants();
}

static void quiesce(void)
{
	for (u32 i = 0; i < PINS; i++) {
		irqhw.pin[i].logical = false; /* away from destinations that nobody has */
		irqhw.pin[i].dest = 0;
		model_rte(i, irqhw.pin[i].vector, irqhw.pin[i].level, false);
	}
	for (u32 i = 0; i < 400 * BUS_CPUS; i++) {
		apic_bus_run(i % BUS_CPUS);
		(void)model_exit(false);
		guest_takes(i % BUS_CPUS);
		guest_finishes(i % BUS_CPUS);
	}
	check_invariants();
	for (u32 i = 0; i < LEVEL_PINS; i++)
		EXPECT_FALSE(irqhw.pin[i].line || irqhw.pin[i].remote_irr);
	for (u32 i = 0; i < BUS_CPUS; i++) {
		EXPECT_EQ(-1, model_highest(apic_bus_cpu(i)->isr));
		EXPECT_EQ(-1, model_highest(apic_bus_cpu(i)->irr));
		for (u32 v = 0; v < 256; v++)
			EXPECT_EQ(0, apic_bus_cpu(i)->tokens[v]);
	}
}

static void random_run(bool x2apic)
{
	apic_bus_init();
	memset(guest, 0, sizeof(guest));
	for (u32 i = 0; i < BUS_CPUS; i++) {
		if (x2apic)
			as_cpu_mode(i, '2');
		else
			set_logical(i, (u8)(1u << i), APIC_DFR_FLAT);
		guest[i].accepting = true;
		irqhw.before_accept = count_accept;
	}
	for (u32 i = 0; i < PINS; i++) {
		irqhw.pin[i].dest = (u8)at.vp[i % BUS_CPUS].apic_id;
		model_rte(i, i < LEVEL_PINS ? level_vectors[i] : edge_vectors[i - LEVEL_PINS],
			  i < LEVEL_PINS, false);
	}
	for (u32 i = 0; i < 2000; i++)
		step((u32)(test_rng() % BUS_CPUS));
	quiesce();
}

static void test_random_messages_and_lines(void)
{
	delivered = held = 0;
	for (u32 run = 0; run < 40; run++)
		random_run(run % 2);
	print_message("delivered %llu, of them held %llu\n", delivered, held);
	/* The driver must not become tame unnoticed. */
	EXPECT_GE(delivered, 4000);
	EXPECT_GE(held, 1500);
}

TEST_MAIN(TEST(test_flat_destinations), TEST(test_cluster_destinations),
	  TEST(test_x2apic_destinations), TEST(test_destinations_follow_every_change),
	  TEST(test_what_is_no_interrupt), TEST(test_nmi_message_is_the_guest_s),
	  TEST(test_random_messages_and_lines))
