/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's two 8259s, as far as the hypervisor talks to them itself. They are the guest's:
 * what is changed here must be put back. Pure; any CPU. Spec: Intel 8259A data sheet.
 */
#pragma once

#include "core/lib/types.h"

#define I8259_CHIPS    2u   /* 0: the one the CPU sees; 1: behind its input 2 */
#define I8259_COMMAND1 0x20 /* the port after it: data (the mask, but for ICWs) */
#define I8259_COMMAND2 0xa0
#define I8259_ELCR     0x4d0 /* one byte per chip; 1: the input is level-triggered */
#define I8259_CASCADE  2u

static inline u16 i8259_command(u32 chip)
{
	return chip == 0 ? I8259_COMMAND1 : I8259_COMMAND2;
}

static inline u16 i8259_mask(u32 chip)
{
	return (u16)(i8259_command(chip) + 1);
}

/*
 * i8259_in_service() - inputs that were acknowledged and not ended. Not while the chip is being
 * initialised: it would take the question for an ICW. @keep_isr: reads of the command port show
 * the in-service bits afterwards, because the guest wants that; else the requests, as after
 * initialisation.
 */
u8 i8259_in_service(u32 chip, bool keep_isr);

/* i8259_end() - specific EOI of @input; of the second chip at the first one's cascade, too. */
void i8259_end(u32 chip, u32 input);
