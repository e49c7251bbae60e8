/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop all CPUs but one: panic and guest end. Pure. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

/**
 * stop_all_others() - halt every other CPU that has a VP, by NMI: in the guest, in root, asleep or
 * with interrupts off. Returns when all have halted, or those that do not answer are given up. If
 * two CPUs call it only one returns: one report comes out, unmixed. No effect before the VPs exist,
 * or a second time on the same CPU. Context: any. Take no locks afterwards: a stopped CPU may hold
 * them.
 */
void stop_all_others(void);

/* stop_all_wanted() - true: the calling CPU, in its NMI handler, must call stop_all_obey(). */
bool stop_all_wanted(void);
NORETURN void stop_all_obey(void);

/* stop_all_report() - how many stopped, after how long, and which did not. */
void stop_all_report(void (*print)(const char *fmt, ...));

/* stop_all_report_guests() - where the guest of each stopped CPU was, a line each. */
void stop_all_report_guests(void (*print)(const char *fmt, ...));

/* stop_all_reset() - forget everything; tests only. */
void stop_all_reset(void);
