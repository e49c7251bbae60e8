/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a handler of a VM exit is told and what it answers, and the tables that lead to it. The
 * dispatcher itself is core/exit/exit.h.
 */
#pragma once

#include "arch/x86/defs/exit.h"
#include "core/lib/types.h"

struct vp;

/* What a handler wants to happen to the guest's instruction. Only exit.c acts on it. */
enum exit_action {
	EXIT_NEXT,         /* emulated: retire it (RIP, RF, blocking, TF) */
	EXIT_RESUME,       /* enter again at the same RIP: a fault is queued, or a restart */
	EXIT_NEXT_DECODED, /* the same, length from the decoder in vp->insn_len */
	EXIT_MSR_FAULT,    /* RDMSR or WRMSR that did not happen: #GP(0) */
	EXIT_RETRY,        /* guest memory is not there yet, nothing changed: wait, enter again */
	EXIT_ITERATION,    /* one of several of a repeated string instruction: RIP stays, RF, TF */
	EXIT_STOP,         /* stop the partition with a report */
	EXIT_UNHANDLED,    /* not done, nothing changed: who asked decides. Never the last word */
};

/* Fields that the dispatcher snapshots for a row. */
#define NEEDS_QUAL   (1u << 0) /* exit qualification */
#define NEEDS_GPA    (1u << 1) /* guest-physical address */
#define NEEDS_GLA    (1u << 2) /* guest-linear address */
#define NEEDS_INTR   (1u << 3) /* VM-exit interruption information and error code */
#define NEEDS_VECTOR (1u << 4) /* the exit can interrupt event delivery: re-inject */

/*
 * Valid is what the row (or exit_info_read()) asked for, of this exit; the rest is older. Handlers
 * of the most frequent exits ask for nothing and read the one field they use from the VMCS.
 */
struct exit_info {
	u32 intr_info;
	u32 intr_error;
	u64 qual;
	u64 gpa;
	u64 gla;
};

typedef enum exit_action (*exit_fn)(struct vp *vp, const struct exit_info *x);

/* How a row treats the guest, for the documentation dump and the closing lists. */
enum exit_class { EXIT_CLASS_STOP, EXIT_CLASS_HANDLED, EXIT_CLASS_UD, EXIT_CLASS_GP };

struct exit_row {
	exit_fn fn;
	u32 needs;
	enum exit_class class;
	const char *name;
};

/* A module's row: replaces the core row of that reason, which must be a default #UD/stop row. */
struct exit_module_row {
	u32 reason;
	struct exit_row row;
};

/*
 * One row per basic exit reason. Every context has such a table (core/vp/ctx.h): what a guest of
 * ours does and what a guest of that guest does are answered by different rows.
 */
struct exit_table {
	struct exit_row row[EXIT_REASON_COUNT]; /* numbers the SDM skips stay holes: fn is NULL */
	/* What the dispatcher calls: the handler, or a step before it that reads what it needs. */
	exit_fn entry[EXIT_REASON_COUNT];
};
