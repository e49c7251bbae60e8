/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical local APIC of the calling CPU. Registers are named by xAPIC offset in both modes. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

/* lapic_init() - map the registers, note the mode. ERR_NODEV: the firmware disabled the APIC. */
MUST_CHECK err_t lapic_init(void);

/* lapic_is_locked() - the firmware has locked x2APIC mode: SDM Vol. 4, IA32_XAPIC_DISABLE_STATUS.
 */
bool lapic_is_locked(void);

/* lapic_timer_hz() - ticks per second of its timer, divided by 1, against a TSC of @tsc_hz: takes
 * 10 ms. The timer must be masked; it stands still afterwards. */
u64 lapic_timer_hz(u64 tsc_hz);

/* lapic_reaches() - an IPI from this CPU can address @apic_id: xAPIC mode has 8 bits, and 255 is
 * broadcast. */
bool lapic_reaches(u32 apic_id);

/* lapic_send() - one IPI: @icr_low (APIC_ICR_*) to the CPU with APIC ID @dest, which it reaches. */
void lapic_send(u32 dest, u32 icr_low);
