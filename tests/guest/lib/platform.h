/* SPDX-License-Identifier: BSD-2-Clause */
/* 8259, I/O APIC, PIT, ACPI PM timer, CMOS and power-off of a PC. */
#pragma once

#include "core/lib/types.h"

#define PIC_BASE_VECTOR 0x20 /* master; slave at 0x28 */
#define IOAPIC_ADDR     0xfec00000ull
#define IOAPIC_PIN_PIT  2
#define IOAPIC_PIN_COM1 4
#define PM_TIMER_HZ     3579545u

void platform_init(void);    /* 8259 remapped and masked, I/O APIC masked, TSC calibrated */
void platform_quiesce(void); /* everything masked, PIT stopped, COM1 interrupts off */
void platform_poweroff(void) __attribute__((noreturn));
void platform_halt(void) __attribute__((noreturn));
void platform_reboot(void) __attribute__((noreturn)); /* by port CF9H */
void platform_debug_exit(
	u8 status); /* ends QEMU with 2 * @status + 1; returns without the device */

void pic_init(u8 vector); /* of IRQ 0; all masked */
void pic_mask_all(void);
void pic_unmask(u32 irq);
void pic_eoi(u32 irq);
u8 pic_isr(void);

u32 ioapic_read(u32 reg);
void ioapic_write(u32 reg, u32 val);
#define IOAPIC_RTE_LEVEL  0x8000u
#define IOAPIC_RTE_MASKED 0x10000u
void ioapic_route(u32 pin, u32 low, u32 dest); /* @low: bits 31:0 of the entry */

void pit_oneshot(u16 count);  /* channel 0, mode 0: IRQ 0 rises after count */
void pit_periodic(u16 count); /* channel 0, mode 2 */
void pit_stop(void);

u16 pm_base(void);
u32 pm_timer(void);       /* 24 or 32 bits */
bool pm_timer_runs(void); /* platform_init() needs one */
u64 tsc_hz(void);         /* measured against the PM timer at start */
void delay_us(u64 us);
u64 us_to_tsc(u64 us);

/* com1_irq_raise()/com1_irq_drop() - the UART's "transmitter empty" interrupt on line 4. */
void com1_irq_raise(void);
void com1_irq_drop(void);

u8 cmos_read(u8 index);
void cmos_write(u8 index, u8 val);

/* patience() - the TSC at the end of @us; other hypervisors get a hundred times as long: they have
 * a host that does other work. */
u64 patience(u64 us);

/* Wait until cond, at most @us of patience; evaluates to whether it came. */
#define WAIT_FOR(cond, us)                        \
	({                                        \
		u64 end_ = patience(us);          \
		while (!(cond) && rdtsc() < end_) \
			cpu_relax();              \
		(cond);                           \
	})
