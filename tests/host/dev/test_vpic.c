/* SPDX-License-Identifier: BSD-2-Clause */
/* core/dev/vpic.c alone, and core/dev/pic.c between the guest and the machine's chips. */
#include "tests/host/harness.h"

#include "core/dev/lines.h"
#include "core/dev/testdev.h"
#include "core/surface/pio.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

static struct vpic v;
static u8 hw[2];

static void command(u32 chip, u8 val, bool passed)
{
	EXPECT_EQ(passed, vpic_write_command(&v, chip, val, hw[chip]));
}

static void initialise(u8 icw4)
{
	for (u32 i = 0; i < 2; i++) {
		command(i, 0x11, true);
		vpic_write_data(&v, i, (u8)(0x20 + 8 * i));
		vpic_write_data(&v, i, i == 0 ? 4 : 2);
		vpic_write_data(&v, i, icw4);
		EXPECT_EQ(0, v.chip[i].step);
		vpic_write_data(&v, i, 0);
	}
}

static void setup(u8 icw4)
{
	memset(&v, 0, sizeof(v));
	memset(hw, 0, sizeof(hw));
	initialise(icw4);
}

static s32 ack(void)
{
	return vpic_acknowledge(&v, hw);
}

static void pulse(u32 line)
{
	vpic_set_line(&v, line, true);
	vpic_set_line(&v, line, false);
}

static void test_every_line_has_its_vector(void)
{
	for (u32 n = 0; n < 16; n++) {
		setup(1);
		pulse(n);
		EXPECT_CALL(n == 2 ? -1 : 0x20 + (s32)n, ack());
		EXPECT_EQ(n >= 8 ? 4 : n == 2 ? 0 : 1 << n, v.chip[0].isr);
		EXPECT_EQ(n >= 8 ? 1 << (n - 8) : 0, v.chip[1].isr);
		EXPECT_CALL(-1, ack());
		if (n >= 8)
			command(1, 0x20, false);
		if (n != 2)
			command(0, 0x20, false);
		EXPECT_FALSE(vpic_is_active(&v));
		command(0, 0x20, true); /* nothing of ours: the machine's */
	}
	vpic_set_line(&v, 16, true);
	EXPECT_FALSE(vpic_is_active(&v));
}

/* The chips' bases are their own: the BIOS has 08h and 70h. ICW1 unmasks every input. */
static void test_initialisation_sets_base_and_mask(void)
{
	static const u8 bases[] = { 0x08, 0x70 };

	setup(1);
	for (u32 i = 0; i < 2; i++) {
		vpic_write_data(&v, i, 0xff); /* all masked */
		command(i, 0x11, true);
		vpic_write_data(&v, i, (u8)(bases[i] | 7)); /* the low bits are the input's */
		vpic_write_data(&v, i, i == 0 ? 4 : 2);
		vpic_write_data(&v, i, 1);
	}
	pulse(1);
	EXPECT_CALL(0x09, ack());
	command(0, 0x20, false);
	pulse(12);
	EXPECT_CALL(0x74, ack());
}

static void test_fixed_priorities_nest(void)
{
	setup(1);
	pulse(6);
	pulse(3);
	pulse(9);
	EXPECT_CALL(0x29, ack()); /* the cascade is input 2 */
	EXPECT_CALL(-1, ack());
	pulse(1);
	EXPECT_CALL(0x21, ack()); /* nests */
	command(0, 0x20, false);  /* the highest in service: 1 */
	EXPECT_EQ(4, v.chip[0].isr);
	EXPECT_CALL(-1, ack());
	command(1, 0x20, false);
	command(0, 0x62, false); /* specific: 2 */
	EXPECT_CALL(0x23, ack());
	command(0, 0x20, false);
	EXPECT_CALL(0x26, ack());
}

static void test_masks_keep_edges(void)
{
	setup(1);
	vpic_write_data(&v, 0, 0xff);
	pulse(5);
	EXPECT_CALL(-1, ack());
	vpic_write_data(&v, 0, 0xdf);
	EXPECT_CALL(0x25, ack());
}

static void test_edges_need_a_rise(void)
{
	setup(1);
	vpic_set_line(&v, 5, true);
	EXPECT_CALL(0x25, ack());
	command(0, 0x20, false);
	vpic_set_line(&v, 5, true);
	EXPECT_CALL(-1, ack());
}

static void test_levels_repeat(void)
{
	setup(1);
	v.chip[0].elcr = 0x20;
	vpic_set_line(&v, 5, true);
	for (u32 i = 0; i < 3; i++) {
		EXPECT_CALL(0x25, ack());
		EXPECT_CALL(-1, ack());
		command(0, 0x20, false);
	}
	vpic_set_line(&v, 5, false);
	EXPECT_CALL(-1, ack());
}

/* What the machine has in service blocks and is ended in its turn. */
static void test_the_machines_half_counts(void)
{
	setup(1);
	hw[0] = 0x08;
	pulse(5);
	EXPECT_CALL(-1, ack());
	pulse(1);
	EXPECT_CALL(0x21, ack());
	command(0, 0x20, false); /* ours is the higher */
	command(0, 0x20, true);  /* the machine's 3 */
	command(0, 0x63, true);
	hw[0] = 0;
	EXPECT_CALL(0x25, ack());
	hw[0] = 0x01; /* nests in ours */
	command(0, 0x20, true);
	hw[0] = 0;
	command(0, 0x20, false);
}

static void test_automatic_eoi(void)
{
	setup(3);
	pulse(5);
	EXPECT_CALL(0x25, ack());
	EXPECT_EQ(0, v.chip[0].isr);
	EXPECT_FALSE(vpic_is_active(&v));
}

static void test_register_selection_and_initialisation(void)
{
	setup(1);
	pulse(5);
	EXPECT_EQ(0x20, vpic_read_command(&v, 0));
	(void)ack();
	EXPECT_EQ(0, vpic_read_command(&v, 0));
	command(0, 0x0b, true);
	EXPECT_EQ(0x20, vpic_read_command(&v, 0));
	command(0, 0x0a, true);
	pulse(6);
	command(0, 0x11, true); /* forgets requests and services, and asks for ICWs */
	EXPECT_EQ(0, v.chip[0].irr | v.chip[0].isr);
	pulse(6);
	EXPECT_CALL(-1, ack());
	vpic_write_data(&v, 0, 0x57);
	vpic_write_data(&v, 0, 4);
	vpic_write_data(&v, 0, 1);
	EXPECT_CALL(0x56, ack());
	command(0, 0x12, true); /* single, no ICW4 */
	vpic_write_data(&v, 0, 0x60);
	EXPECT_EQ(0, v.chip[0].step);
}

/* --- with the chips --- */

static void machine(void)
{
	apic_test_init(2, false);
	fake_heap(64);
	fake.ioapic[1] = 0x170020;
	EXPECT_CALL(ERR_NONE, testdev_add(&at.p, false));
	at.vp[1].apic.base_msr |= APIC_BASE_EN;
	vlapic_write(VP, APIC_SVR, 0x1ff);
	vlapic_write(VP, APIC_LVT_LINT0, 0x700);
	fake.io_val[0x20] = fake.io_val[0xa0] = 0;
	VP->work = 0;
}

static void out(u16 port, u32 val)
{
	pio_access(VP, port, 1, true, &val);
}

static u32 in(u16 port)
{
	u32 val = 0;

	pio_access(VP, port, 1, false, &val);
	return val;
}

static void chips(void)
{
	for (u32 i = 0; i < 2; i++) {
		u16 port = i == 0 ? 0x20 : 0xa0;

		out(port, 0x11);
		out(port + 1, 0x20 + 8 * i);
		out(port + 1, i == 0 ? 4 : 2);
		out(port + 1, 1);
		out(port + 1, 0);
	}
}

static void deliver(void)
{
	EXPECT_TRUE(VP->work & VP_WORK_LINES);
	VP->work = 0;
	irq_msg_work(VP);
}

static u32 nothing_in_service(u16 port, u32 size)
{
	return 0;
}

static void test_line_becomes_extint(void)
{
	machine();
	fake.io_in = nothing_in_service;
	chips();
	VP->work = 0;
	out(0x2005, 1);
	EXPECT_EQ(0, at.vp[1].work);
	deliver();
	EXPECT_CALL(0x25, extint_take(VP));
	EXPECT_CALL(-1, extint_take(VP));
	EXPECT_EQ(0x20, lines_of(&at.p)->pic.chip[0].isr);
	irq_msg_work(VP);
	EXPECT_FALSE(VP->event.extint);
}

static void test_eoi_is_swallowed_or_passed(void)
{
	machine();
	fake.io_in = nothing_in_service;
	chips();
	out(0x200a, 1);
	deliver();
	EXPECT_CALL(0x2a, extint_take(VP));
	fake.io_val[0x20] = fake.io_val[0xa0] = 0xee;
	out(0xa0, 0x20);
	out(0x20, 0x20);
	EXPECT_NE(0x20, fake.io_val[0xa0]);
	EXPECT_NE(0x20, fake.io_val[0x20]);
	EXPECT_FALSE(vpic_is_active(&lines_of(&at.p)->pic));
	out(0xa0, 0x20);
	out(0x20, 0x20);
	EXPECT_EQ(0x20, fake.io_val[0xa0]);
	EXPECT_EQ(0x20, fake.io_val[0x20]);
}

static void test_reads_show_both_halves(void)
{
	machine();
	fake.io_in = nothing_in_service;
	chips();
	out(0x21, 0xff);
	out(0x2005, 1);
	EXPECT_EQ(0x20, in(0x20));
	EXPECT_EQ(0, in(0x21));
	EXPECT_EQ(0, in(0xa0));
	out(0x4d0, 0x40);
	EXPECT_EQ(0x40, lines_of(&at.p)->pic.chip[0].elcr);
	EXPECT_EQ(0x40, fake.io_val[0x4d0]);
}

static void test_waits_for_lint0(void)
{
	machine();
	fake.io_in = nothing_in_service;
	chips();
	vlapic_write(VP, APIC_LVT_LINT0, 0x10700);
	VP->work = 0;
	out(0x2005, 1);
	EXPECT_EQ(0, VP->work & VP_WORK_LINES);
	irq_msg_work(VP);
	EXPECT_FALSE(VP->event.extint);
	vlapic_write(VP, APIC_LVT_LINT0, 0x700);
	deliver();
	EXPECT_CALL(0x25, extint_take(VP));
}

TEST_MAIN(TEST(test_initialisation_sets_base_and_mask), TEST(test_every_line_has_its_vector),
	  TEST(test_fixed_priorities_nest), TEST(test_masks_keep_edges),
	  TEST(test_edges_need_a_rise), TEST(test_levels_repeat),
	  TEST(test_the_machines_half_counts), TEST(test_automatic_eoi),
	  TEST(test_register_selection_and_initialisation), TEST(test_line_becomes_extint),
	  TEST(test_eoi_is_swallowed_or_passed), TEST(test_reads_show_both_halves),
	  TEST(test_waits_for_lint0))
