/* SPDX-License-Identifier: BSD-2-Clause */
/* Reset of the machine: tries the gentlest way first. Context: any. */
#include "arch/x86/reboot.h"

#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "core/hw.h"

/* ACPI "Generic Address Structure": address spaces that a reset register may be in. */
#define ACPI_SPACE_MEMORY 0
#define ACPI_SPACE_IO     1

#define PORT_RESET_CONTROL 0xcf9
#define RESET_HARD         0x02
#define RESET_CPU          0x04
#define PORT_I8042         0x64
#define I8042_INPUT_FULL   0x02
#define I8042_PULSE_RESET  0xfe

#define SETTLE_READS 100000u /* reads of a slow port between two ways */

static struct {
	u16 port;
	u8 value;
	volatile u8 *memory;
} acpi_reset;

void reboot_init(u8 space, u64 addr, u8 value)
{
	acpi_reset.value = value;
	if (space == ACPI_SPACE_IO && addr <= 0xffff)
		acpi_reset.port = (u16)addr;
	else if (space == ACPI_SPACE_MEMORY && addr != 0)
		acpi_reset.memory = mmio_map(hpa(addr), 1);
}

static void settle(void)
{
	for (u32 i = 0; i < SETTLE_READS; i++)
		(void)inb(0x80);
}

void hw_reboot(void)
{
	struct desc_ptr none = { 0 };

	cpu_cli();
	settle(); /* let the serial ports send what they hold */
	if (acpi_reset.port != 0) {
		outb(acpi_reset.port, acpi_reset.value);
		settle();
	}
	if (acpi_reset.memory != NULL) {
		*acpi_reset.memory = acpi_reset.value;
		settle();
	}
	outb(PORT_RESET_CONTROL, RESET_HARD);
	outb(PORT_RESET_CONTROL, RESET_HARD | RESET_CPU);
	settle();
	for (u32 i = 0; i < SETTLE_READS && (inb(PORT_I8042) & I8042_INPUT_FULL) != 0; i++)
		cpu_pause();
	outb(PORT_I8042, I8042_PULSE_RESET);
	settle();
	lidt(&none); /* with no IDT the next fault is a triple fault */
	__builtin_trap();
}
