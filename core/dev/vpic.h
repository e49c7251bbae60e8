/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The software half of a PC's two 8259s: software lines, with the set-up that the guest gives the
 * machine's chips. Priorities are fixed and fully nested over both halves.
 *
 * Rotation, special mask and poll mode work for the machine's half only. Pure; the caller holds a
 * lock.
 * Spec: Intel 8259A data sheet; ELCR as in PC chipsets.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

#define VPIC_LINES 16u

struct vpic_chip {
	u8 base, imr, irr, isr;
	u8 lines, elcr; /* inputs as they are; 1: level-triggered */
	u8 step;        /* of the initialisation: the next ICW, 0: none */
	bool icw4, single, auto_eoi, read_isr;
};

struct vpic {
	struct vpic_chip chip[2]; /* 0: the one the CPU sees; 1: behind its input 2 */
};

void vpic_set_line(struct vpic *v, u32 line, bool asserted);

/*
 * vpic_write_command(), vpic_write_data() - the guest's write to @chip. @hw_isr: what the machine's
 * chip has in service. True: pass it on; false: an EOI that was meant for the software half.
 */
MUST_CHECK bool vpic_write_command(struct vpic *v, u32 chip, u8 val, u8 hw_isr);
void vpic_write_data(struct vpic *v, u32 chip, u8 val);

/* vpic_read_command() - the bits that the software half adds to IRR or ISR. */
u8 vpic_read_command(const struct vpic *v, u32 chip);

/* vpic_is_active() - something is requested or in service; if not, @hw_isr is not needed. */
bool vpic_is_active(const struct vpic *v);

/* vpic_acknowledge() - the CPU takes the vector of the highest request; -1: nothing to take. */
s32 vpic_acknowledge(struct vpic *v, const u8 hw_isr[2]);
