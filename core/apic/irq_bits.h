/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The three steps of a vector through the bitmaps of a local APIC page: requested (IRR, TMR),
 * accepted (IRR to ISR), ended (ISR). Fast and slow paths share them. A caller that caches the
 * highest bits (struct vlapic) must update its caches at each step.
 *
 * Plain accesses: VP's own CPU, in root.
 *
 * Spec: SDM Vol. 3A "Interrupt Acceptance for Fixed Interrupts", "Signaling Interrupt Servicing
 * Completion".
 */
#pragma once

#include "arch/x86/defs/apic.h"
#include "core/lib/bits.h"
#include "core/lib/types.h"

/*
 * irq_word() - the 32-bit register of bitmap @reg (APIC_IRR, APIC_ISR, APIC_TMR) with @vector.
 * 64-bit arithmetic lets the compiler fold @reg into the addressing mode.
 */
static inline u32 *irq_word(u8 *page, size_t reg, size_t vector)
{
	return (u32 *)(void *)(page + (vector >> 5) * APIC_REG_STRIDE + reg);
}

static inline void irq_request(u8 *page, u32 vector, bool level)
{
	u32 bit = 1u << (vector & 31);
	u32 *tmr = irq_word(page, APIC_TMR, vector);

	*irq_word(page, APIC_IRR, vector) |= bit;
	if (level)
		*tmr |= bit;
	else
		*tmr &= ~bit;
}

static inline void irq_accept(u8 *page, u32 vector)
{
	u32 bit = 1u << (vector & 31);

	*irq_word(page, APIC_IRR, vector) &= ~bit;
	*irq_word(page, APIC_ISR, vector) |= bit;
}

static inline void irq_end(u8 *page, u32 vector)
{
	*irq_word(page, APIC_ISR, vector) &= ~(1u << (vector & 31));
}
