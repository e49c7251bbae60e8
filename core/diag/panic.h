/* SPDX-License-Identifier: BSD-2-Clause */
/* panic() is for our bugs, fatal() for mistakes of the user and deficits of the machine. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

/* Said before the machine stands still for ever: tools/run.py looks for it. */
#define HALTED "the machine is halted: reset it"

/**
 * panic() - a hypervisor bug or an impossible machine: report everywhere, then halt or, with
 * on_panic=reboot, reset the machine. Any context.
 */
NORETURN void panic(const char *fmt, ...) PRINTF(1, 2);

/* panic_init() - @version is part of the report; @reboot: on_panic=reboot. */
void panic_init(const char *version, bool reboot);

/* panic_end() - after the report: obey on_panic=. */
NORETURN void panic_end(void);

/* fatal() - at boot: the user's mistake, or the machine lacks something. The text is "CAUSE; do
 * this: REMEDY"; it becomes the last sentence, result_cannot_run(); halts. */
NORETURN void fatal(const char *fmt, ...) PRINTF(1, 2);

/* at_fatal() - call @fn, once, when a panic() has reported, and in place of the last sentence of a
 * fatal(), which it must say. NULL: none. Boot, one CPU. */
void at_fatal(void (*fn)(const char *why, bool panicking));

#define ASSERT(cond)                                                                      \
	do {                                                                              \
		if (!(cond))                                                              \
			panic("assertion failed: %s (%s:%d)", #cond, __FILE__, __LINE__); \
	} while (0)
