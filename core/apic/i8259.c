/* SPDX-License-Identifier: BSD-2-Clause */
/* See i8259.h. Pure. */
#include "core/apic/i8259.h"

#include "core/hw.h"

#define OCW2_END      0x60 /* specific EOI, + input */
#define OCW3_READ_IRR 0x0a
#define OCW3_READ_ISR 0x0b

u8 i8259_in_service(u32 chip, bool keep_isr)
{
	u16 port = i8259_command(chip);
	u8 isr;

	hw_io_out(port, 1, OCW3_READ_ISR);
	isr = (u8)hw_io_in(port, 1);
	if (!keep_isr)
		hw_io_out(port, 1, OCW3_READ_IRR);
	return isr;
}

bool i8259_reads_isr(u32 chip)
{
	u16 port = i8259_command(chip);
	u32 selected = hw_io_in(port, 1), isr, irr;

	hw_io_out(port, 1, OCW3_READ_ISR);
	isr = hw_io_in(port, 1);
	hw_io_out(port, 1, OCW3_READ_IRR);
	irr = hw_io_in(port, 1);
	if (selected != isr || selected == irr)
		return false;
	hw_io_out(port, 1, OCW3_READ_ISR);
	return true;
}

void i8259_end(u32 chip, u32 input)
{
	hw_io_out(i8259_command(chip), 1, OCW2_END | input);
	if (chip != 0)
		hw_io_out(I8259_COMMAND1, 1, OCW2_END | I8259_CASCADE);
}
