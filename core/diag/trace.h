/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The latest events, in one binary ring per VP: trace_events.def. With trace= naming exits also how
 * long the exits of each reason took. tools/trace.py turns the lines of a dump into text.
 */
#pragma once

#include "arch/x86/defs/exit.h"
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

/* The words of trace=, bit i of the option's set is word i: families of exits (trace_exits.def).
 * Rare events are always recorded, so "rare" alone is none of the exits. */
/* clang-format off */
#define TRACE_FAMILIES(V)                      \
	V(TRACE_FAMILY_RARE, "rare")           \
	V(TRACE_FAMILY_ALL, "exits")           \
	V(TRACE_FAMILY_EXCEPTION, "exception") \
	V(TRACE_FAMILY_IRQ, "irq")             \
	V(TRACE_FAMILY_TIMER, "timer")         \
	V(TRACE_FAMILY_HLT, "hlt")             \
	V(TRACE_FAMILY_CPUID, "cpuid")         \
	V(TRACE_FAMILY_MSR, "msr")             \
	V(TRACE_FAMILY_IO, "io")               \
	V(TRACE_FAMILY_CR, "cr")               \
	V(TRACE_FAMILY_EPT, "ept")             \
	V(TRACE_FAMILY_APIC, "apic")           \
	V(TRACE_FAMILY_VMCALL, "vmcall")       \
	V(TRACE_FAMILY_OTHER, "other")
/* clang-format on */

struct trace_record {
	u64 tsc;
	u32 event; /* enum trace_event */
	u32 c;
	u64 a, b;
};

#define TRACE_RECORDS_MIN 128 /* one page */
#define TRACE_RECORDS_MAX 65536
#define TRACE_AT_END      64u /* of all VPs: what a panic prints */
#define TRACE_ALL         (~0u)

/* How long the exits of one reason took, in TSC ticks from the exit to the entry. */
struct exit_time {
	u64 count, ticks;
	u32 min, max; /* since the last trace_take_times(); saturated */
	u32 epoch;    /* of min and max */
};

/* [0]: counts; [1]: as trace_take_times() found them. */
struct exit_times {
	struct exit_time row[2][EXIT_REASON_COUNT];
};

struct trace_ring {
	struct trace_record *record; /* NULL: nothing is recorded */
	u32 mask;                    /* their number, a power of two, minus 1 */
	u32 families;                /* exits to record; a set of enum trace_family */
	u64 written;                 /* in all */
	u32 left;                    /* in a dump: newest ones that are not printed yet */
	struct exit_times *times;    /* NULL: no exit is traced */
	struct trace_record exit;    /* of the exit now handled, if exits are traced */
	u16 exit_reason;             /* EXIT_REASON_COUNT: it takes no time */
	bool exit_pending;           /* its record waits for the next one, or a dump */
	bool exit_traced;            /* it has a record, and its entry gets one */
	u64 exit_tsc;                /* when it began, moved on by stolen time */
};

/* trace_traces_exits() - does trace=@set name any exit? */
bool trace_traces_exits(u32 set);

/* trace_ring_records() - how many records a ring of trace_size=@size has: a power of two. */
u32 trace_ring_records(u32 size);

/**
 * trace_init() - @vp records from now on. @record: trace_ring_records(@size) of them; @set: the
 * option trace=; @times: zeroed, needed if it names exits.
 */
void trace_init(struct vp *vp, struct trace_record *record, u32 size, u32 set,
		struct exit_times *times);

/* TRACE() - record @name with its values. VP's own CPU, root, not in an NMI. */
#define TRACE(vp, name, c, a, b) trace_write((vp), TRACE_##name, (u32)(c), (u64)(a), (u64)(b))
void trace_write(struct vp *vp, enum trace_event event, u32 c, u64 a, u64 b);

/*
 * trace_exit(), trace_entry() - called by vmenter.S around an exit's handling when exits are
 * traced. trace_entry() also does the pending work first, so that it belongs to the exit.
 */
void trace_exit(struct vp *vp);
void trace_entry(struct vp *vp);

/*
 * trace_stolen() - @ticks of the exit now handled were not the guest's business: they are recorded,
 * and not counted as the exit's. An exit that only served a dump leaves no record: a dump must not
 * push out what it is to show.
 */
void trace_stolen(struct vp *vp, u32 cause, u64 ticks);

/* trace_take_times() - copy each VP's exit times for a dump; minima and maxima begin anew. */
void trace_take_times(const struct partition *p);

/* trace_freeze() - @on: record nothing, so that a long dump sees one moment. Any CPU. */
void trace_freeze(bool on);

/**
 * trace_dump_begin() - choose the last @max records of all VPs by TSC, or TRACE_ALL.
 * trace_dump_line() - print the oldest left: "trace vpN TSC NAME c a b" with hexadecimal values.
 * False: none was left. Any CPU; records that another VP writes meanwhile may come out wrong.
 */
void trace_dump_begin(const struct partition *p, u32 max);
bool trace_dump_line(const struct partition *p, void (*line)(const char *fmt, ...));

/* trace_dump() - both, all lines. */
void trace_dump(const struct partition *p, u32 max, void (*line)(const char *fmt, ...));
