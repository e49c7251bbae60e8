/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * PM timer, HPET and PIT as tick sources. Sources: ACPI "Power Management Timer"; IA-PC HPET
 * Specification 1.0a; 8254 data sheet.
 */
#include "drivers/pmtimer.h"

#include "arch/x86/insn.h"

#define PM_TIMER_HZ 3579545u

#define HPET_CAPABILITIES 0x000
#define HPET_COUNTER      0x0f0
#define HPET_CAP_PERIOD   GENMASK64(63, 32) /* femtoseconds */
#define HPET_ENABLE       BIT32(0)
#define HPET_MAX_PERIOD   100000000ull /* 100 ns */
#define FEMTOSECONDS      1000000000000000ull

#define PIT_HZ         1193182u
#define PIT_CHANNEL2   0x42
#define PIT_COMMAND    0x43
#define PIT_LATCH2     0x80
#define PIT_MODE2_CH2  0xb4 /* channel 2, low then high byte, rate generator */
#define PORT_B         0x61
#define PORT_B_GATE2   0x01
#define PORT_B_SPEAKER 0x02

static u16 pm_port;
static u8 *hpet_regs;

static struct tick_reading pmtimer_read_once(void)
{
	struct tick_reading r = { .before_tsc = rdtsc_ordered() };

	r.ticks = inl(pm_port);
	r.after_tsc = rdtsc_ordered();
	return r;
}

/* Some chipsets return a torn value now and then: read twice, and require the reads in order. */
static struct tick_reading pmtimer_read(void)
{
	struct tick_reading a = pmtimer_read_once(), b = pmtimer_read_once();

	for (u32 i = 0; i < 4 && (u32)(b.ticks - a.ticks) > 100; i++) {
		a = b;
		b = pmtimer_read_once();
	}
	return b;
}

struct tick_source pmtimer_source(u16 port, bool is_32bit)
{
	pm_port = port;
	return (struct tick_source){
		.name = "PM timer",
		.hz = PM_TIMER_HZ,
		.mask = is_32bit ? 0xffffffffu : 0xffffffu,
		.read = pmtimer_read,
	};
}

static struct tick_reading hpet_read(void)
{
	struct tick_reading r = { .before_tsc = rdtsc_ordered() };

	r.ticks = mmio_read32(hpet_regs + HPET_COUNTER);
	r.after_tsc = rdtsc_ordered();
	return r;
}

struct tick_source hpet_source(void *regs)
{
	u64 period_fs;

	hpet_regs = regs;
	period_fs = FIELD_GET(HPET_CAP_PERIOD, mmio_read64(hpet_regs + HPET_CAPABILITIES));
	if (period_fs == 0 || period_fs > HPET_MAX_PERIOD)
		return (struct tick_source){ .name = "HPET" };
	if ((mmio_read32(hpet_regs + HPET_CONFIG) & HPET_ENABLE) == 0)
		mmio_write32(hpet_regs + HPET_CONFIG,
			     mmio_read32(hpet_regs + HPET_CONFIG) | HPET_ENABLE);
	return (struct tick_source){
		.name = "HPET",
		.hz = FEMTOSECONDS / period_fs,
		.mask = 0xffffffff,
		.read = hpet_read,
	};
}

/* The 8254 counts down; the latch command samples it. */
static struct tick_reading pit_read(void)
{
	struct tick_reading r = { .before_tsc = rdtsc_ordered() };
	u32 lo;

	outb(PIT_COMMAND, PIT_LATCH2);
	r.after_tsc = rdtsc_ordered();
	lo = inb(PIT_CHANNEL2);
	r.ticks = 0u - (lo | (u32)inb(PIT_CHANNEL2) << 8);
	return r;
}

struct tick_source pit_source(void)
{
	outb(PORT_B, (u8)((inb(PORT_B) & ~PORT_B_SPEAKER) | PORT_B_GATE2));
	outb(PIT_COMMAND, PIT_MODE2_CH2);
	outb(PIT_CHANNEL2, 0); /* 65536 */
	outb(PIT_CHANNEL2, 0);
	return (struct tick_source){
		.name = "PIT",
		.hz = PIT_HZ,
		.mask = 0xffff,
		.read = pit_read,
	};
}
