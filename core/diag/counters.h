/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything countable, in one table per VP: counters.def. Tests read the dump by these names. */
#pragma once

#include "arch/x86/defs/exit.h"
#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct partition;
struct vp;

enum counter {
#define X(name, help) COUNTER_##name,
#include "core/diag/counters.def"
#undef X
	COUNTER_COUNT
};

struct vp_counters {
	u64 exits[EXIT_REASON_COUNT];
	u64 c[COUNTER_COUNT];
};

/* COUNT() - one more of @name on @vp. Own CPU only: not atomic. */
#define COUNT(vp, name) ((vp)->counters.c[COUNTER_##name]++)

/* counters_start() - the guest starts: dumps tell the seconds since then. */
void counters_start(void);

/**
 * counters_dump() - a dump into the log: "counters: WHY", the line of its number and times, every
 * non-zero counter of every VP as "counter vpN NAME VALUE", exits by reason as "exit vpN NAME
 * VALUE", other values as "gauge vpN NAME VALUE", and where exits are traced "time vpN NAME COUNT
 * TICKS MIN MAX", the last two since the dump before. docs/tracing.md.
 */
void counters_dump(const struct partition *p, const char *why);

/**
 * counters_dump_begin(), _line(), _end() - the same in pieces: begin() copies the counters, so that
 * all are of one moment, and prints the head. line() prints the next line; false: none was left.
 * end() tells how long it took.
 * Context: one dump at a time.
 */
void counters_dump_begin(const struct partition *p, const char *why);
bool counters_dump_line(const struct partition *p);
void counters_dump_end(const struct partition *p, u64 ticks);

/* counters_dump_vp() - one VP as it is now, printed by @line: log_panic in a panic. */
typedef void (*counters_line_fn)(const char *fmt, ...) PRINTF(1, 2);
void counters_dump_vp(const struct vp *vp, counters_line_fn line);
