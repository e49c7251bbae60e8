/* SPDX-License-Identifier: BSD-2-Clause */
/* The timers of known frequency that a PC has, as tick sources for tsc_measure(). Context: boot. */
#pragma once

#include "core/time/tick.h"

/* pmtimer_source() - ACPI PM timer at I/O port @port, 24 or 32 bits wide. */
struct tick_source pmtimer_source(u16 port, bool is_32bit);

#define HPET_BYTES  0x400
#define HPET_CONFIG 0x010

/* hpet_source() - HPET with its registers mapped at @regs; hz is 0 if its period is invalid.
 * Starts it. */
struct tick_source hpet_source(void *regs);

/* pit_source() - channel 2 of the 8254: starts it, speaker off. */
struct tick_source pit_source(void);
