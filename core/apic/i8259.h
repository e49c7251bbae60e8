/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine's two 8259s, as far as the hypervisor talks to them itself. They belong to the guest:
 * put back whatever is changed here. Pure; any CPU. Spec: Intel 8259A data sheet.
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
 * i8259_in_service() - inputs acknowledged but not ended. Not during the chip's initialisation: it
 * would take our OCW3 for an ICW. @keep_isr: leave the command port reading the in-service bits, as
 * the guest has selected; else the requests, as after initialisation.
 */
u8 i8259_in_service(u32 chip, bool keep_isr);

/*
 * i8259_reads_isr() - whether the guest has selected the in-service bits for reads of the command
 * port; the chip cannot be asked, so this compares. Tells them apart when the two differ, as behind
 * an acknowledgement.
 */
bool i8259_reads_isr(u32 chip);

/* i8259_end() - specific EOI of @input; on the second chip, also of the first chip's cascade
 * input. */
void i8259_end(u32 chip, u32 input);
