/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages for humans. Before the guest runs they go to the boot consoles; from its first
 * instruction on only to the ring buffer and, with log=com2, to COM2. A panic speaks everywhere.
 */
#pragma once

#include <stdarg.h>

#include "core/lib/compiler.h"
#include "core/lib/types.h"

#define LOG_RING_BYTES 65536u

void log_info(const char *fmt, ...) PRINTF(1, 2);  /* one step of the boot, one decision */
void log_warn(const char *fmt, ...) PRINTF(1, 2);  /* works, but the user should know */
void log_error(const char *fmt, ...) PRINTF(1, 2); /* names cause and remedy */

/* log_guest() - a message that the guest can trigger: rate-limited (10 a second, then a count). */
void log_guest(const char *fmt, ...) PRINTF(1, 2);

/* log_panic() - unlocked, to every console. Panic path only. */
void log_panic(const char *fmt, ...) PRINTF(1, 2);

/* log_take_consoles() - the guest has ended and all other CPUs have stopped: messages go to
 * every console again, without the lock, which a stopped CPU may hold. */
void log_take_consoles(void);

/**
 * log_hold() - @on: keep lines in the ring while somebody else writes on the log console. Off:
 * print what has waited, and count what the ring lost meanwhile. A panic does not wait.
 */
void log_hold(bool on);

/* log_ring_read() - oldest first; returns bytes copied. Panic and monitor. */
size_t log_ring_read(char *buf, size_t len);
