/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core/apic/irq_msg.c: which VPs a message of a software line reaches, in every destination and
 * delivery mode and every state of the virtual APICs. test_lines.c has the lines themselves.
 */
#include "core/apic/irq_msg.h"

#include "core/apic/irq_fwd.h"
#include "core/vp/event.h"
#include "tests/host/models/apic_bus.h"
#include "tests/host/models/apic_vp.h"

static bool requested(const struct vp *vp, u32 vector)
{
	return (vlapic_reg(&vp->apic, APIC_IRR + vector / 32 * 16) >> (vector % 32)) & 1;
}

static bool is_marked(const struct vp *vp, u32 vector)
{
	return (vp->fwd.line_level[vector / 32] >> (vector % 32)) & 1;
}

/* Every VP takes over what was posted for it. The VPs with @vector in their IRR. */
static u32 receivers(u8 vector, bool level)
{
	u32 mask = 0;

	for (u32 i = 0; i < BUS_CPUS; i++) {
		struct vp *vp = &at.vp[i];

		apic_bus_run(i);
		vlapic_fold_posted(vp);
		irq_msg_work(vp);
		EXPECT_EQ(level && requested(vp, vector), is_marked(vp, vector));
		mask |= (u32)requested(vp, vector) << i;
		irq_msg_forget(vp); /* there is no line that waits for the EOI */
		if (requested(vp, vector)) {
			vlapic_accept(vp, vector);
			vlapic_eoi(vp);
		}
	}
	return mask;
}

static u32 signalled(u32 signal)
{
	u32 mask = 0;

	for (u32 i = 0; i < BUS_CPUS; i++)
		mask |= (u32)((vlapic_take_signals(&at.vp[i]) & signal) != 0) << i;
	return mask;
}

static void check(u8 dest, bool logical, u8 mode)
{
	u8 vector = (u8)(0x40 + test_rng() % 0xa0);
	bool level = test_rng() % 2;
	struct vp *self = &at.vp[test_rng() % BUS_CPUS];
	struct irq_msg m = { vector, mode, dest, logical, level };
	u32 able = apic_bus_guest_targets(dest, logical, true), got;

	apic_bus_run(self->index);
	irq_msg_send(self, &m);
	if (mode == APIC_MODE_NMI || mode == APIC_MODE_INIT) {
		/* SDM "Local APIC State After It Has Been Software Disabled": not these */
		EXPECT_EQ(apic_bus_guest_targets(dest, logical, false),
			  signalled(mode == APIC_MODE_NMI ? SIGNAL_NMI : SIGNAL_INIT));
		EXPECT_EQ(0, receivers(vector, level));
		return;
	}
	got = receivers(vector, level);
	EXPECT_EQ(0, signalled(~0u));
	if (mode == APIC_MODE_FIXED) {
		EXPECT_EQ(able, got);
	} else if (mode == APIC_MODE_LOWEST) {
		EXPECT_EQ(0, (got & ~able) | (got & (got - 1)));
		EXPECT_EQ(able != 0, got != 0);
	} else { /* SMI, ExtINT and what is reserved */
		EXPECT_EQ(0, got);
	}
}

static void check_all(void)
{
	for (u32 n = 0; n < 8 * 512; n++)
		check((u8)n, n & 0x100, (u8)(n >> 9));
}

static void set_logical(struct vp *vp, u8 ldr, u32 dfr)
{
	apic_bus_run(vp->index);
	vlapic_write(vp, APIC_LDR, (u32)ldr << 24);
	vlapic_write(vp, APIC_DFR, dfr);
}

static void test_flat(void)
{
	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++)
		set_logical(&at.vp[i], (u8)(1u << i), APIC_DFR_FLAT);
	check_all();
}

static void test_cluster(void)
{
	static const u8 ldr[] = { 0x11, 0x12, 0x21, 0x28 };

	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++)
		set_logical(&at.vp[i], ldr[i], APIC_DFR_CLUSTER);
	check_all();
}

static void test_x2apic(void)
{
	apic_bus_init();
	for (u32 i = 0; i < BUS_CPUS; i++) {
		apic_bus_run(i);
		apic_test_mode(&at.vp[i], '2');
	}
	check_all();
}

static void test_every_mix_of_states(void)
{
	static const char modes[] = { 'x', '2', '0' };

	apic_bus_init();
	at.p.config.vector_hashing = true;
	for (u32 run = 0; run < 60; run++) {
		struct vp *vp = &at.vp[test_rng() % BUS_CPUS];

		apic_bus_run(vp->index);
		apic_test_mode(vp, modes[test_rng() % 3]);
		if (vlapic_is_hw_enabled(&vp->apic))
			vlapic_write(vp, APIC_SVR, test_rng() % 3 ? 0x1ff : 0xff);
		if (vlapic_is_hw_enabled(&vp->apic) && !vlapic_is_x2apic(&vp->apic))
			set_logical(vp, (u8)test_rng(),
				    test_rng() % 2 ? APIC_DFR_FLAT : APIC_DFR_CLUSTER);
		check_all();
	}
}

TEST_MAIN(TEST(test_flat), TEST(test_cluster), TEST(test_x2apic), TEST(test_every_mix_of_states))
