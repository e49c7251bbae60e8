// SPDX-License-Identifier: BSD-2-Clause
// 8259, I/O APIC, PIT, PM timer, CMOS, power-off: the PC around the CPU, as the test guests use it.

#include "tests/guest/lib/platform.h"

#include "core/lib/bits.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

#define PIC1           0x20
#define PIC2           0xa0
#define PIT_CH0        0x40
#define PIT_CMD        0x43
#define COM1_IER       0x3f9
#define COM1_IIR       0x3fa
#define COM1_LSR       0x3fd
#define BOCHS_SHUTDOWN 0x8900
#define RESET_CONTROL  0xcf9
#define DEBUG_EXIT     0xf4

static u64 measured_tsc_hz;

void pic_mask_all(void)
{
	outb(PIC1 + 1, 0xff);
	outb(PIC2 + 1, 0xff);
}

void pic_init(u8 vector)
{
	outb(PIC1, 0x11);
	outb(PIC2, 0x11);
	outb(PIC1 + 1, vector);
	outb(PIC2 + 1, vector + 8);
	outb(PIC1 + 1, 4);
	outb(PIC2 + 1, 2);
	outb(PIC1 + 1, 1);
	outb(PIC2 + 1, 1);
	pic_mask_all();
}

void pic_unmask(u32 irq)
{
	if (irq < 8)
		outb(PIC1 + 1, (u8)(inb(PIC1 + 1) & ~(1u << irq)));
	else
		outb(PIC2 + 1, (u8)(inb(PIC2 + 1) & ~(1u << (irq - 8))));
}

void pic_eoi(u32 irq)
{
	if (irq >= 8)
		outb(PIC2, 0x20);
	outb(PIC1, 0x20);
}

u8 pic_isr(void)
{
	outb(PIC1, 0x0b);
	return inb(PIC1);
}

u32 ioapic_read(u32 reg)
{
	mmio_write32(IOAPIC_ADDR, reg);
	return mmio_read32(IOAPIC_ADDR + 0x10);
}

void ioapic_write(u32 reg, u32 val)
{
	mmio_write32(IOAPIC_ADDR, reg);
	mmio_write32(IOAPIC_ADDR + 0x10, val);
}

void ioapic_route(u32 pin, u32 low, u32 dest)
{
	ioapic_write(0x10 + 2 * pin, IOAPIC_RTE_MASKED);
	ioapic_write(0x11 + 2 * pin, dest << 24);
	ioapic_write(0x10 + 2 * pin, low);
}

void pit_oneshot(u16 count)
{
	outb(PIT_CMD, 0x30);
	outb(PIT_CH0, (u8)count);
	outb(PIT_CH0, (u8)(count >> 8));
}

void pit_periodic(u16 count)
{
	outb(PIT_CMD, 0x34);
	outb(PIT_CH0, (u8)count);
	outb(PIT_CH0, (u8)(count >> 8));
}

void pit_stop(void)
{
	outb(PIT_CMD, 0x30); /* mode 0 counts only after both bytes were written */
	outb(PIT_CH0, 0);
}

static u32 pci_read(u32 bdf, u32 reg)
{
	outl(0xcf8, 0x80000000u | bdf << 8 | (reg & 0xfc));
	return inl(0xcfc);
}

#define PIIX4_PM 0x71138086u
#define ICH9_LPC 0x29188086u
#define PM_BASE  0x40
#define PM_BOCHS 0xb000

/* In both the base address is in register 40H. */
u16 pm_base(void)
{
	for (u32 bdf = 0; bdf < 32 * 8; bdf++) {
		u32 id = pci_read(bdf, 0);

		if (id == PIIX4_PM)
			return (u16)(pci_read(bdf, PM_BASE) & 0xffc0);
		if (id == ICH9_LPC)
			return (u16)(pci_read(bdf, PM_BASE) & 0xff80);
	}
	return PM_BOCHS;
}

bool pm_timer_runs(void)
{
	u32 start = pm_timer();

	for (u32 i = 0; i < 1000000; i++) {
		if (pm_timer() != start)
			return true;
	}
	return false;
}

u32 pm_timer(void)
{
	static u16 port;

	if (port == 0)
		port = (u16)(pm_base() + 8);
	return inl(port) & 0xffffff;
}

/* The TSC at a reading of the PM timer: the quickest of several, between which a host may have
 * taken the CPU away. */
static u64 tsc_at_pm(u32 *pm)
{
	u64 least = ~0ull, at = 0;

	for (u32 i = 0; i < 8; i++) {
		u64 before = rdtsc(), after;
		u32 now = pm_timer();

		after = rdtsc();
		if (after - before >= least)
			continue;
		least = after - before;
		at = after;
		*pm = now;
	}
	return at;
}

static void tsc_calibrate(void)
{
	u32 start = pm_timer(), now = start;
	u64 t0, t1;

	while (pm_timer() == start)
		;
	t0 = tsc_at_pm(&start);
	while (((pm_timer() - start) & 0xffffff) < PM_TIMER_HZ / 100)
		;
	t1 = tsc_at_pm(&now);
	measured_tsc_hz = (t1 - t0) * PM_TIMER_HZ / ((now - start) & 0xffffff);
}

u64 tsc_hz(void)
{
	return measured_tsc_hz;
}

u64 us_to_tsc(u64 us)
{
	return us * measured_tsc_hz / 1000000;
}

u64 patience(u64 us)
{
	static u32 factor;

	if (factor == 0)
		factor = machine_has_hypervisor() && !machine_is_kensho() ? 100 : 1;
	return rdtsc() + us_to_tsc(us * factor);
}

void delay_us(u64 us)
{
	u64 end = rdtsc() + us_to_tsc(us);

	while (rdtsc() < end)
		cpu_relax();
}

void com1_irq_raise(void)
{
	while ((inb(COM1_LSR) & 0x60) != 0x60)
		;
	outb(COM1_IER, 2);
}

void com1_irq_drop(void)
{
	outb(COM1_IER, 0);
	inb(COM1_IIR);
}

u8 cmos_read(u8 index)
{
	outb(0x70, index);
	return inb(0x71);
}

void cmos_write(u8 index, u8 val)
{
	outb(0x70, index);
	outb(0x71, val);
}

void platform_quiesce(void)
{
	u32 pins = ((ioapic_read(1) >> 16) & 0xff) + 1;

	outb(PIC1 + 1, 0xff);
	outb(PIC2 + 1, 0xff);
	for (u32 pin = 0; pin < pins; pin++)
		ioapic_route(pin, IOAPIC_RTE_MASKED, 0);
	pit_stop();
	com1_irq_drop();
	for (u32 i = 0; i < 2; i++) {
		outb(PIC2, 0x20);
		outb(PIC1, 0x20);
	}
}

void platform_init(void)
{
	pic_init(PIC_BASE_VECTOR);
	platform_quiesce();
	tsc_calibrate();
}

void platform_halt(void)
{
	for (;;)
		asm volatile("cli; hlt");
}

void platform_poweroff(void)
{
	const char *shutdown = "Shutdown";

	outw((u16)(pm_base() + 4), 0x2000); /* PIIX4: sleep type 0 is soft-off */
	for (u32 i = 0; i < 8; i++)
		outb(BOCHS_SHUTDOWN, (u8)shutdown[i]);
	platform_halt();
}

void platform_reboot(void)
{
	outb(RESET_CONTROL, 2);
	outb(RESET_CONTROL, 6);
	platform_halt();
}

/* isa-debug-exit at its usual port reads 0, nobody reads all ones. */
void platform_debug_exit(u8 status)
{
	if (inb(DEBUG_EXIT) == 0)
		outb(DEBUG_EXIT, status);
}
