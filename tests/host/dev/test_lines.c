/* SPDX-License-Identifier: BSD-2-Clause */
/* core/dev/lines.c and core/apic/irq_msg.c: software lines through the virtual I/O APIC page to
 * virtual local APICs, and the machine's I/O APIC beside it. */
#include "tests/host/harness.h"

#include "arch/x86/defs/vmcs.h"
#include "core/apic/irq_msg.h"
#include "core/dev/lines.h"
#include "core/dev/testdev.h"
#include "core/exit/exit.h"
#include "core/partition.h"
#include "core/surface/pio.h"
#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define PAGE   0xfec00000ull
#define LEVEL  0x8000u
#define MASKED 0x10000u
#define REMOTE 0x4000u

#define VP (&at.vp[0])

/* Physical: 24 pins, version 0x11, ID 2; pin 4 is programmed by firmware. */
static void setup(u32 vps, bool vid)
{
	apic_test_init(vps, vid);
	fake_heap(64);
	fake.ioapic[1] = 0x170011;
	fake.ioapic[0] = 0x02000000;
	for (u32 i = 0; i < 24; i++)
		fake.ioapic[0x10 + 2 * i] = MASKED;
	fake.ioapic[0x18] = 0x39 | REMOTE | LEVEL;
	fake.ioapic[0x19] = 0x01000000;
	EXPECT_CALL(ERR_NONE, testdev_add(&at.p, false));
	for (u32 i = 0; i < vps; i++) {
		vlapic_write(&at.vp[i], APIC_SVR, 0x1ff);
		vlapic_write(&at.vp[i], APIC_LDR, 1u << (24 + i));
		at.vp[i].work = 0;
	}
}

static const struct emul_mem *page(void)
{
	return emulated_at(&at.p, PAGE);
}

static void put(u32 reg, u32 val)
{
	page()->write(VP, PAGE, 4, reg);
	page()->write(VP, PAGE + 0x10, 4, val);
}

static u32 get(u32 reg)
{
	page()->write(VP, PAGE, 4, reg);
	return (u32)page()->read(VP, PAGE + 0x10, 4);
}

static void route(u32 pin, u32 low, u32 dest)
{
	put(0x11 + 2 * pin, dest << 24);
	put(0x10 + 2 * pin, low);
}

static void line(u32 n, u32 level)
{
	pio_access(VP, (u16)(0x2000 + n), 1, true, &level);
}

static bool bit(const struct vp *vp, u32 reg, u32 vector)
{
	return (vlapic_reg(&vp->apic, reg + vector / 32 * 16) >> (vector % 32)) & 1;
}

static bool requested(const struct vp *vp, u32 vector)
{
	return bit(vp, APIC_IRR, vector);
}

static bool remote_irr(u32 pin)
{
	return (get(0x10 + 2 * pin) & REMOTE) != 0;
}

static void eoi(struct vp *vp)
{
	vlapic_write(vp, APIC_EOI, 0);
}

static void test_entries_start_as_the_machine_has_them(void)
{
	setup(1, false);
	EXPECT_EQ(0x39u | LEVEL, lines_of(&at.p)->ioapic.rte[4] & 0xffffffff);
	EXPECT_EQ(0x39u | LEVEL | REMOTE, get(0x18)); /* the machine's Remote IRR shows through */
	EXPECT_EQ(0x01000000, get(0x19));
	EXPECT_EQ(0x02000000, get(0));
	EXPECT_EQ(0x170020, get(1)); /* ours has an EOI register */
}

static void test_writes_reach_the_machine_too(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL | 0x2000, 3);
	EXPECT_EQ(0x59u | LEVEL | 0x2000, fake.ioapic[0x22]); /* polarity, too */
	EXPECT_EQ(0x03000000, fake.ioapic[0x23]);
	put(0, 0x05000000);
	EXPECT_EQ(0x05000000, fake.ioapic[0]);
	EXPECT_FALSE(remote_irr(9));
	fake.ioapic[0x22] |= REMOTE | 0x1000;
	EXPECT_EQ(0x59u | LEVEL | 0x2000 | REMOTE | 0x1000, get(0x22));
}

static void test_without_a_physical_ioapic(void)
{
	static const u32 versions[] = { 0, 0xffffffff };

	for (u32 i = 0; i < 2; i++) {
		apic_test_init(1, false);
		fake_heap(64);
		fake.ioapic[1] = versions[i];
		EXPECT_CALL(ERR_NONE, testdev_add(&at.p, false));
		EXPECT_EQ(0x170020, get(1));
		EXPECT_EQ(MASKED, get(0x10));
		put(0x10, 0x51);
		EXPECT_EQ(0, fake.ioapic[0x10]);
	}
}

static void test_more_pins_than_24_stay(void)
{
	apic_test_init(1, false);
	fake_heap(64);
	fake.ioapic[1] = 0x770020;
	EXPECT_CALL(ERR_NONE, testdev_add(&at.p, false));
	EXPECT_EQ(0x770020, get(1));
	put(0x10 + 2 * 100, 0x51);
	EXPECT_EQ(0x51, fake.ioapic[0x10 + 2 * 100]);
}

static void test_edge(void)
{
	setup(1, false);
	route(9, 0x59, 0);
	line(9, 1);
	EXPECT_TRUE(requested(VP, 0x59));
	EXPECT_FALSE(bit(VP, APIC_TMR, 0x59));
	EXPECT_FALSE(remote_irr(9));
	EXPECT_TRUE(VP->work & VP_WORK_EVENT);
	vlapic_accept(VP, 0x59);
	line(9, 1);
	EXPECT_FALSE(requested(VP, 0x59));
	line(9, 0);
	line(9, 0x80); /* any value but 0 */
	EXPECT_TRUE(requested(VP, 0x59));
	EXPECT_EQ(0, VP->fwd.eoi_count);
}

static void test_level_until_the_line_drops(void)
{
	for (u32 vid = 0; vid < 2; vid++) {
		setup(1, vid);
		route(9, 0x59 | LEVEL, 0);
		line(9, 1);
		for (u32 i = 0; i < 5; i++) {
			EXPECT_TRUE(requested(VP, 0x59));
			EXPECT_TRUE(bit(VP, APIC_TMR, 0x59));
			EXPECT_TRUE(remote_irr(9));
			EXPECT_EQ(1, VP->fwd.eoi_count);
			vlapic_accept(VP, 0x59);
			EXPECT_FALSE(requested(VP, 0x59));
			if (i == 4)
				line(9, 0);
			eoi(VP);
		}
		EXPECT_FALSE(requested(VP, 0x59));
		EXPECT_FALSE(remote_irr(9));
		EXPECT_EQ(0, VP->fwd.eoi_count);
	}
}

/* The CPU does the EOI by itself and exits because the vector is in the EOI-exit bitmap. */
static void test_level_with_virtual_interrupt_delivery(void)
{
	const struct exit_info x = { .qual = 0x59 };

	setup(1, true);
	route(9, 0x59 | LEVEL, 0);
	line(9, 1);
	EXPECT_EQ(1ull << (0x59 - 64), fake.vmcs[VMCS_EOI_EXIT1]);
	vlapic_accept(VP, 0x59);
	line(9, 0);
	*(u32 *)(void *)(at.page[0] + APIC_ISR + 0x59 / 32 * 16) = 0;
	EXPECT_CALL(EXIT_RESUME, exit_virtualized_eoi(VP, &x));
	EXPECT_FALSE(remote_irr(9));
	EXPECT_EQ(0, VP->fwd.eoi_count);
}

static void test_directed_eoi(void)
{
	setup(1, false);
	vlapic_write(VP, APIC_SVR, 0x11ff); /* suppress the broadcast */
	route(9, 0x59 | LEVEL, 0);
	line(9, 1);
	vlapic_accept(VP, 0x59);
	eoi(VP);
	EXPECT_TRUE(remote_irr(9));
	EXPECT_FALSE(requested(VP, 0x59));
	page()->write(VP, PAGE + 0x40, 4, 0x58); /* somebody else's */
	EXPECT_TRUE(remote_irr(9));
	page()->write(VP, PAGE + 0x40, 4, 0x59);
	EXPECT_TRUE(requested(VP, 0x59)); /* still asserted */
	vlapic_accept(VP, 0x59);
	line(9, 0);
	eoi(VP);
	page()->write(VP, PAGE + 0x40, 4, 0x59);
	EXPECT_FALSE(remote_irr(9));
}

static void test_directed_eoi_reaches_the_machine(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL, 0);
	fake.ioapic[0x22] |= REMOTE;
	page()->write(VP, PAGE + 0x40, 4, 0x59);
	/* Version 0x11: by way of an edge entry; afterwards all is as it was. */
	EXPECT_EQ(0, fake.ioapic_eois);
	EXPECT_EQ(0x59u | LEVEL, fake.ioapic[0x22]);

	apic_test_init(1, false);
	fake_heap(64);
	fake.ioapic[1] = 0x170020;
	EXPECT_CALL(ERR_NONE, testdev_add(&at.p, false));
	page()->write(VP, PAGE + 0x40, 4, 0x59);
	EXPECT_EQ(1, fake.ioapic_eois);
	EXPECT_EQ(0x59, fake.ioapic_eoi);
}

/* The machine's line of the same pin asserts, too: one EOI of the guest ends both halves. */
static void test_held_and_marked_at_once(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL, 0);
	model_rte(9, 0x59, true, false);
	line(9, 1);
	vlapic_accept(VP, 0x59);
	model_line(9, true);
	EXPECT_TRUE(model_exit(false));
	EXPECT_EQ(2, VP->fwd.eoi_count);
	EXPECT_TRUE(requested(VP, 0x59)); /* a second round */
	line(9, 0);
	model_line(9, false);
	irqhw.guest_done[0x59] = true;
	eoi(VP);
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_FALSE(irqhw.pin[9].remote_irr);
	EXPECT_FALSE(remote_irr(9));
	vlapic_accept(VP, 0x59);
	eoi(VP);
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_EQ(0, VP->fwd.eoi_count);
}

/* Held by the machine alone: the short way of irq_fwd_eoi() with other marks around. */
static void test_held_beside_another_mark(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL, 0);
	model_rte(3, 0x71, true, false);
	model_line(3, true);
	EXPECT_TRUE(model_exit(false));
	line(9, 1);
	EXPECT_EQ(2, VP->fwd.eoi_count);
	vlapic_accept(VP, 0x71);
	model_line(3, false);
	irqhw.guest_done[0x71] = true;
	eoi(VP);
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_EQ(1, VP->fwd.eoi_count);
	EXPECT_TRUE(remote_irr(9));
	vlapic_accept(VP, 0x59);
	line(9, 0);
	eoi(VP);
	EXPECT_EQ(1, irqhw.eois);
	EXPECT_FALSE(remote_irr(9));
}

static void test_physical_and_logical_destinations(void)
{
	setup(4, false);
	route(9, 0x59, 2);
	line(9, 1);
	EXPECT_FALSE(requested(VP, 0x59));
	EXPECT_EQ(VP_WORK_POSTED, at.vp[2].work);
	EXPECT_EQ(0, at.vp[1].work | at.vp[3].work);
	vlapic_fold_posted(&at.vp[2]);
	EXPECT_TRUE(requested(&at.vp[2], 0x59));

	route(10, 0x5a | 0x800 | LEVEL, 0xb); /* logical: 0, 1, 3 */
	line(10, 1);
	EXPECT_TRUE(requested(VP, 0x5a));
	for (u32 i = 1; i < 4; i++) {
		EXPECT_EQ(i != 2, (at.vp[i].work & VP_WORK_LINES) != 0);
		irq_msg_work(&at.vp[i]);
		EXPECT_EQ(i != 2, requested(&at.vp[i], 0x5a));
		EXPECT_EQ(i != 2, bit(&at.vp[i], APIC_TMR, 0x5a));
	}
	line(10, 0);
	vlapic_accept(&at.vp[3], 0x5a);
	eoi(&at.vp[3]); /* the first of the three frees the pin */
	EXPECT_FALSE(remote_irr(10));
	vlapic_accept(VP, 0x5a);
	eoi(VP);
	EXPECT_EQ(0, VP->fwd.eoi_count | at.vp[3].fwd.eoi_count);
	EXPECT_EQ(1, at.vp[1].fwd.eoi_count);

	route(11, 0x5b, 0xff); /* broadcast */
	line(11, 1);
	EXPECT_TRUE(requested(VP, 0x5b));
	for (u32 i = 1; i < 4; i++)
		EXPECT_TRUE(at.vp[i].apic.posted_words);
}

static void test_lowest_priority(void)
{
	setup(3, false);
	vlapic_write(&at.vp[0], APIC_TPR, 0x40);
	vlapic_write(&at.vp[1], APIC_TPR, 0x10);
	vlapic_write(&at.vp[2], APIC_TPR, 0x20);
	at.vp[1].work = at.vp[2].work = 0;
	route(9, 0x59 | 0x900 | LEVEL, 0x7);
	line(9, 1);
	EXPECT_EQ(VP_WORK_LINES, at.vp[1].work);
	EXPECT_EQ(0, at.vp[2].work);
	EXPECT_FALSE(requested(VP, 0x59));
	at.p.config.vector_hashing = true; /* by the vector: 0x5a % 3 == 0 */
	route(10, 0x5a | 0x900, 0x7);
	line(10, 1);
	EXPECT_TRUE(requested(VP, 0x5a));
}

static void test_nmi_and_init(void)
{
	setup(2, false);
	route(9, 0x400, 1);
	line(9, 1);
	EXPECT_EQ(SIGNAL_NMI, vlapic_take_signals(&at.vp[1]));
	route(10, 0x500, 1);
	line(10, 1);
	EXPECT_EQ(SIGNAL_INIT, vlapic_take_signals(&at.vp[1]));
	route(11, 0x251, 0); /* SMI, ExtINT: dropped */
	route(12, 0x751, 0);
	line(11, 1);
	line(12, 1);
	EXPECT_FALSE(requested(VP, 0x51));
}

static void test_disabled_local_apic_drops(void)
{
	setup(1, false);
	vlapic_write(VP, APIC_SVR, 0xff);
	route(9, 0x59 | LEVEL, 0);
	line(9, 1);
	EXPECT_FALSE(requested(VP, 0x59));
	EXPECT_EQ(0, VP->fwd.eoi_count);
	apic_test_mode(VP, '0');
	line(9, 0);
	line(9, 1);
	EXPECT_EQ(0, VP->fwd.eoi_count);
}

/* No EOI will come any more for what was in service; vectors that come later are marked anew. */
static void test_reset_forgets_marks(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL, 0);
	line(9, 1);
	vlapic_accept(VP, 0x59);
	apic_test_mode(VP, '0');
	EXPECT_EQ(0, VP->fwd.eoi_count);
	apic_test_mode(VP, 'x');
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_TRUE(remote_irr(9)); /* as on hardware */
	route(9, 0x59 | MASKED, 0);
	route(9, 0x59 | LEVEL, 0);
	EXPECT_TRUE(requested(VP, 0x59));
	EXPECT_EQ(1, VP->fwd.eoi_count);
	/* Switching off by SVR keeps what is in service, and its mark. */
	vlapic_accept(VP, 0x59);
	vlapic_write(VP, APIC_SVR, 0xff);
	vlapic_write(VP, APIC_SVR, 0x1ff);
	EXPECT_EQ(1, VP->fwd.eoi_count);
	line(9, 0);
	eoi(VP);
	EXPECT_FALSE(remote_irr(9));
	line(9, 1);
	EXPECT_EQ(1, VP->fwd.eoi_count);
	vlapic_reset(VP, false);
	EXPECT_EQ(0, VP->fwd.eoi_count | VP->fwd.soft_count);
}

static void test_two_pins_of_one_vector(void)
{
	setup(1, false);
	route(9, 0x59 | LEVEL, 0);
	route(10, 0x59 | LEVEL, 0);
	line(9, 1);
	vlapic_accept(VP, 0x59);
	line(10, 1); /* while the first is in service */
	line(9, 0);
	eoi(VP);
	EXPECT_TRUE(requested(VP, 0x59));
	EXPECT_EQ(1, VP->fwd.eoi_count);
	vlapic_accept(VP, 0x59);
	line(10, 0);
	eoi(VP);
	EXPECT_FALSE(remote_irr(9) || remote_irr(10));
	EXPECT_EQ(0, VP->fwd.eoi_count);
}

static void test_irq_0_is_pin_2(void)
{
	setup(1, false);
	route(2, 0x52 | LEVEL, 0);
	route(0, 0x50, 0);
	line(0, 1);
	EXPECT_TRUE(requested(VP, 0x52));
	EXPECT_FALSE(requested(VP, 0x50));
	vlapic_accept(VP, 0x52);
	line(2, 1); /* the other line of that pin */
	line(0, 0);
	eoi(VP);
	EXPECT_TRUE(requested(VP, 0x52));
	vlapic_accept(VP, 0x52);
	line(2, 0);
	eoi(VP);
	EXPECT_FALSE(requested(VP, 0x52));
}

static void test_page_access_sizes(void)
{
	setup(1, false);
	page()->write(VP, PAGE, 1, 0x22); /* the index takes a byte */
	EXPECT_EQ(0x22, page()->read(VP, PAGE, 4));
	EXPECT_EQ(0x22, page()->read(VP, PAGE, 1));
	page()->write(VP, PAGE + 0x10, 2, 0x1234); /* the window does not */
	EXPECT_EQ(MASKED, get(0x22));
	page()->write(VP, PAGE + 0x10, 4, 0x12345);
	EXPECT_EQ(0x2345 & ~0x5000u, page()->read(VP, PAGE + 0x10, 2));
	EXPECT_EQ(1, page()->read(VP, PAGE + 0x12, 1));
	EXPECT_EQ(0, page()->read(VP, PAGE + 0x14, 4));
	EXPECT_EQ(0, page()->read(VP, PAGE + 0x20, 8));
	page()->write(VP, PAGE + 0x20, 4, ~0u);
	page()->write(VP, PAGE + 0x40, 1, 0x45);
}

TEST_MAIN(TEST(test_entries_start_as_the_machine_has_them), TEST(test_writes_reach_the_machine_too),
	  TEST(test_without_a_physical_ioapic), TEST(test_more_pins_than_24_stay), TEST(test_edge),
	  TEST(test_level_until_the_line_drops), TEST(test_level_with_virtual_interrupt_delivery),
	  TEST(test_directed_eoi), TEST(test_directed_eoi_reaches_the_machine),
	  TEST(test_held_and_marked_at_once), TEST(test_held_beside_another_mark),
	  TEST(test_physical_and_logical_destinations), TEST(test_lowest_priority),
	  TEST(test_nmi_and_init), TEST(test_disabled_local_apic_drops),
	  TEST(test_reset_forgets_marks), TEST(test_two_pins_of_one_vector),
	  TEST(test_irq_0_is_pin_2), TEST(test_page_access_sizes))
