// SPDX-License-Identifier: BSD-2-Clause
// testdev=on: software lines and the virtual 8259. Named runs only: without the option these ports
// and addresses belong to the machine.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/dev/testdev.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"
#include "tests/guest/smp/t_smp.h"

static volatile u32 pic_seen;
static u8 pic_vectors[8];
static u8 pic_service;
static u32 pic_drop; /* line that the handler lowers before its EOI */

static void pic_handler(struct trap_regs *regs)
{
	pic_service = pic_isr();
	if (pic_seen < ARRAY_SIZE(pic_vectors))
		pic_vectors[pic_seen] = (u8)regs->vector;
	pic_seen++;
	EXPECT_TRUE(!apic_in_service((u8)regs->vector));
	line(pic_drop, 0);
	pic_eoi((u32)regs->vector - PIC_BASE_VECTOR);
}

static void pic_begin(void)
{
	lines_down();
	pic_seen = 0;
	pic_drop = 23;
	for (u32 i = 0; i < 16; i++)
		trap_handle(PIC_BASE_VECTOR + i, pic_handler);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
}

static void pic_lines(void)
{
	static const u8 lines[] = { 0, 3, 6, 7, 8, 13 }; /* edges, and quiet */

	pic_begin();
	pic_unmask(2);
	sti();
	for (u32 i = 0; i < ARRAY_SIZE(lines); i++) {
		u32 n = lines[i];

		pic_unmask(n);
		pic_seen = 0;
		line(n, 1);
		EXPECT_EQ(1, pic_seen);
		EXPECT_EQ(PIC_BASE_VECTOR + n, pic_vectors[0]);
		EXPECT_EQ(n < 8 ? 1u << n : 4, pic_service);
		line(n, 0);
		line(n, 1);
		EXPECT_EQ(2, pic_seen);
		line(n, 0);
		EXPECT_EQ(0, pic_isr());
	}
	cli();
}

/* An edge waits behind the mask, behind IF and behind LINT0, and is then taken once. */
static void pic_lines_wait(void)
{
	pic_begin();
	pulse(5);
	sti_nop_cli();
	EXPECT_EQ(0, pic_seen);
	apic_write(APIC_LVT_LINT0, APIC_LVT_MASKED);
	pic_unmask(5);
	sti_nop_cli();
	EXPECT_EQ(0, pic_seen);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
	EXPECT_EQ(0, pic_seen);
	sti_nop_cli();
	EXPECT_EQ(1, pic_seen);
	pulse(5);
	sti_hlt_cli();
	EXPECT_EQ(2, pic_seen);
}

/* Two requests: the higher first, the lower after its EOI; a device of the machine among them. */
static void pic_lines_order(void)
{
	pic_begin();
	pic_unmask(0);
	pic_unmask(5);
	pic_unmask(6);
	outb(0x21, 0xff);
	pulse(6);
	pulse(5);
	outb(0x21, 0x9e);
	sti();
	asm volatile("nop; nop");
	EXPECT_EQ(2, pic_seen);
	EXPECT_EQ(PIC_BASE_VECTOR + 5, pic_vectors[0]);
	EXPECT_EQ(PIC_BASE_VECTOR + 6, pic_vectors[1]);
	pit_oneshot(500);
	EXPECT_TRUE(WAIT_FOR(pic_seen == 3, 20000));
	EXPECT_EQ(PIC_BASE_VECTOR, pic_vectors[2]);
	pulse(5);
	EXPECT_EQ(4, pic_seen);
	cli();
	EXPECT_EQ(0, pic_isr());
}

/* Level-triggered by the ELCR: again after each EOI until the line drops. */
static void pic_lines_level(void)
{
	u8 elcr = inb(0x4d0);

	pic_begin();
	pic_unmask(5);
	outb(0x4d0, elcr | 0x20);
	line(5, 1);
	line(5, 0); /* nobody took it */
	line(5, 1);
	pic_drop = 5;
	sti();
	asm volatile("nop; nop");
	EXPECT_EQ(1, pic_seen);
	line(5, 1);
	cli();
	EXPECT_EQ(2, pic_seen);
	outb(0x4d0, elcr);
}

static const struct test t_testdev_pic_tests[] = {
	{ .name = "testdev_pic_lines", .run = pic_lines, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_wait", .run = pic_lines_wait, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_order", .run = pic_lines_order, .flags = T_NAMED },
	{ .name = "testdev_pic_lines_level", .run = pic_lines_level, .flags = T_NAMED },
};
TEST_GROUP(t_testdev_pic);
