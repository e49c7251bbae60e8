/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The latest events, in one binary ring per VP: trace_events.def. tools/trace.py turns the lines of
 * trace_dump() into text.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct partition;
struct vp;

enum trace_event {
#define X(name, c, a, b) TRACE_##name,
#include "core/diag/trace_events.def"
#undef X
	TRACE_EVENT_COUNT
};

struct trace_record {
	u64 tsc;
	u32 event; /* enum trace_event */
	u32 c;
	u64 a, b;
};

#define TRACE_RECORDS 128u /* one page */
#define TRACE_AT_END  64u  /* of all VPs: what a panic prints */

struct trace_ring {
	struct trace_record *record; /* TRACE_RECORDS of them; NULL: nothing is recorded */
	u64 written;                 /* in all */
};

/* TRACE() - record @name with its values. VP's own CPU, root, not in an NMI. */
#define TRACE(vp, name, c, a, b) trace_write((vp), TRACE_##name, (u32)(c), (u64)(a), (u64)(b))
void trace_write(struct vp *vp, enum trace_event event, u32 c, u64 a, u64 b);

/* trace_exit(), trace_entry() - trace=exits: called by vmenter.S around exit_dispatch(). */
void trace_exit(struct vp *vp);
void trace_entry(struct vp *vp);

/**
 * trace_dump() - the last @max records of all VPs by TSC, oldest first: "trace vpN TSC NAME c a b"
 * with hexadecimal values, one @line call each. Any CPU; records that another VP writes meanwhile
 * may come out wrong.
 */
void trace_dump(const struct partition *p, u32 max, void (*line)(const char *fmt, ...));
