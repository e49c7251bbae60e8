// SPDX-License-Identifier: BSD-2-Clause
// The machine's 8259s: what a guest with IF = 0 reads of a request that nobody has taken yet, and
// what it does to it. Tests named pic_x2_* run in x2APIC mode.

#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/platform.h"

#define COMMAND   0x20
#define READ_IRR  0x0a
#define READ_ISR  0x0b
#define POLL      0x0c
#define END       0x20
#define PIT_COUNT 1193 /* 1 ms */
#define LIMIT_US  100000

#define HPET_BASE    0xfed00000u
#define HPET_CONFIG  (HPET_BASE + 0x10)
#define HPET_COUNTER (HPET_BASE + 0xf0)
#define HPET_TIMER0  (HPET_BASE + 0x100)
#define HPET_COMPARE (HPET_BASE + 0x108)
#define HPET_ENABLE  BIT32(0)
#define HPET_LEGACY  BIT32(1) /* timer 0 is IRQ 0, in place of the PIT */
#define HPET_INT     BIT32(2) /* of a timer: enabled, edge, one-shot */

static volatile u32 taken;

static void take(struct trap_regs *regs)
{
	(void)regs;
	taken++;
	pic_eoi(0);
}

static u8 command(u8 select)
{
	outb(COMMAND, select);
	return inb(COMMAND);
}

static void begin(void)
{
	trap_handle(PIC_BASE_VECTOR, take);
	apic_write(APIC_LVT_LINT0, (u32)FIELD_PREP(APIC_LVT_MODE, APIC_MODE_EXTINT));
	pic_unmask(0);
	sti_nop_cli(); /* what was latched before */
	taken = 0;
}

/* IF = 0: the request is there, nothing is in service, and the interrupt comes once with IF = 1. */
static void expect_request(void)
{
	outb(COMMAND, READ_IRR);
	EXPECT_TRUE(WAIT_FOR(inb(COMMAND) & 1, LIMIT_US));
	EXPECT_EQ(0, taken);
	EXPECT_EQ(0, command(READ_ISR));
	EXPECT_EQ(0, inb(COMMAND)); /* what was selected stays so */
	sti_nop_cli();
	EXPECT_EQ(1, taken);
	EXPECT_EQ(0, inb(COMMAND)); /* ISR: ended */
	EXPECT_EQ(0, command(READ_IRR) & 1);
}

static void pit_request(void)
{
	begin();
	for (u32 i = 0; i < 5; i++) {
		taken = 0;
		pit_oneshot(PIT_COUNT);
		expect_request();
	}
}

static void hpet_request(void)
{
	begin();
	mmio_write32(HPET_CONFIG, 0);
	mmio_write32(HPET_TIMER0, HPET_INT);
	for (u32 i = 0; i < 5; i++) {
		taken = 0;
		mmio_write32(HPET_CONFIG, HPET_LEGACY);
		mmio_write32(HPET_COUNTER, 0);
		mmio_write32(HPET_COUNTER + 4, 0);
		mmio_write32(HPET_COMPARE, 10000);
		mmio_write32(HPET_COMPARE + 4, 0);
		mmio_write32(HPET_CONFIG, HPET_LEGACY | HPET_ENABLE);
		expect_request();
	}
	mmio_write32(HPET_CONFIG, 0);
	mmio_write32(HPET_TIMER0, 0);
}

/*
 * The poll command is the acknowledgement: no interrupt follows. An EOI before it ends nothing.
 * Bare Bochs answers a poll without the bit that says "there is one". STI and CLI in a row let no
 * interrupt in, but make Bochs 2.7 notice a request that was raised during an exit.
 */
static void poll_takes_the_request(void)
{
	begin();
	pit_oneshot(PIT_COUNT);
	outb(COMMAND, READ_IRR);
	EXPECT_TRUE(WAIT_FOR(inb(COMMAND) & 1, LIMIT_US));
	__asm__ volatile("sti; cli" ::: "memory");
	EXPECT_EQ(0, taken);
	outb(COMMAND, END);
	EXPECT_EQ(1, inb(COMMAND) & 1);
	EXPECT_EQ(0x80, command(POLL));
	EXPECT_EQ(1, command(READ_ISR));
	sti_nop_cli();
	EXPECT_EQ(0, taken);
	outb(COMMAND, END);
	EXPECT_EQ(0, inb(COMMAND));
}

static const struct test t_pic_tests[] = {
	{ .name = "pic_pit_request", .run = pit_request },
	{ .name = "pic_x2_pit_request", .run = pit_request, .flags = T_X2APIC },
	{ .name = "pic_hpet_request", .run = hpet_request },
	{ .name = "pic_poll_takes_the_request", .run = poll_takes_the_request, .flags = T_KENSHO },
};
TEST_GROUP(t_pic);
