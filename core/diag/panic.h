/* SPDX-License-Identifier: BSD-2-Clause */
/* The two ends: panic() for a bug of ours, fatal() for what the user or the machine lacks. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

/**
 * panic() - a hypervisor bug or an impossible machine: report everywhere, then halt or, with
 * on_panic=reboot, reset the machine. Any context.
 */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

/* panic_init() - @version is part of the report; @reboot: on_panic=reboot. */
void panic_init(const char *version, bool reboot);

/* panic_end() - what comes after a report. */
NORETURN void panic_end(void);

/* fatal() - the user's mistake or the machine's lack at boot: one line, cause and remedy, below the
 * log that led to it; halts. */
NORETURN void fatal(const char *fmt, ...) PRINTF(1, 2);

/* at_fatal() - before a fatal() or panic() stops the machine and after it has said why, @fn hears
 * of it, once. NULL: nobody. Boot, one CPU. */
void at_fatal(void (*fn)(const char *why, bool panicking));

#define ASSERT(cond)                                                                      \
	do {                                                                              \
		if (!(cond))                                                              \
			panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)
