/* SPDX-License-Identifier: BSD-2-Clause */
/* Stop all CPUs but one: panic and guest end. Pure. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

/**
 * stop_all_others() - every other CPU with a VP halts at an NMI, which is sent: in the guest, in
 * root, asleep or with interrupts off for ever. Returns when all have, or when one that does not
 * take the NMI is given up. Does not return on a CPU that another one stops: one report comes out,
 * unmixed. Before the VPs exist: no effect. A second call on the same CPU: no effect. Context: any,
 * no locks needed: whoever holds one may be stopped.
 */
void stop_all_others(void);

/* stop_all_wanted() - the calling CPU, in its NMI, must end in stop_all_obey(). */
bool stop_all_wanted(void);
NORETURN void stop_all_obey(void);

/* stop_all_report() - through @print: how many stopped, after how long, and the lost ones by name.
 */
void stop_all_report(void (*print)(const char *fmt, ...));

/* stop_all_report_guests() - of each CPU that stopped: where its guest was, a line each. */
void stop_all_report_guests(void (*print)(const char *fmt, ...));

/* stop_all_reset() - forget everything; tests only. */
void stop_all_reset(void);
