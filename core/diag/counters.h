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

/* counters_dump() - every non-zero counter of every VP, one "counter vpN NAME VALUE" line each,
 * and other values as "gauge vpN NAME VALUE". */
void counters_dump(const struct partition *p, const char *why);

/* counters_dump_vp() - one VP, printed by @line: log_info, or log_panic in a panic. */
typedef void (*counters_line_fn)(const char *fmt, ...) PRINTF(1, 2);
void counters_dump_vp(const struct vp *vp, counters_line_fn line);
