/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The interface of exit handlers: what they are told, what they answer, and the tables that list
 * them. The dispatcher is in core/exit/exit.h.
 */
#pragma once

#include "arch/x86/defs/exit.h"
#include "core/lib/types.h"

struct vp;

/* What a handler wants to happen to the guest's instruction. Only exit.c acts on it.
 * SPEED(action-values): the frequent ones are compared with 0 and 1. New ones go behind EXIT_STOP.
 */
enum exit_action {
	EXIT_NEXT,         /* emulated: retire it (RIP, RF, blocking, TF) */
	EXIT_RESUME,       /* enter again at the same RIP: a fault is queued, or a restart */
	EXIT_NEXT_DECODED, /* EXIT_NEXT of vp->insn_len bytes; 0: RIP is replaced already */
	EXIT_MSR_FAULT,    /* RDMSR or WRMSR refused: #GP(0) */
	EXIT_RETRY,        /* guest memory is not there yet, nothing changed: wait, enter again */
	EXIT_ITERATION,    /* of a REP instruction, not the last: RIP stays, RF is set, TF traps */
	EXIT_STOP,         /* stop the partition with a report */
	EXIT_NEXT_MOV_SS,  /* EXIT_NEXT_DECODED of a load of SS, which blocks events for a moment */
	EXIT_UNHANDLED,    /* declined, nothing changed; the caller decides, never the dispatcher */
	EXIT_NEXT_IRET,    /* IRET: RIP is replaced already, RFLAGS becomes vp->iret_rflags */
};

/* Fields that the dispatcher reads before it calls a row's handler. */
#define NEEDS_QUAL   (1u << 0) /* exit qualification */
#define NEEDS_GPA    (1u << 1) /* guest-physical address */
#define NEEDS_GLA    (1u << 2) /* guest-linear address */
#define NEEDS_INTR   (1u << 3) /* VM-exit interruption information and error code */
#define NEEDS_VECTOR (1u << 4) /* the exit can interrupt event delivery: re-inject */

/*
 * Only what the row (or exit_info_read()) asked for is valid; other members are stale, from an
 * earlier exit. Handlers of the hottest exits ask for nothing and read their one field from the
 * VMCS.
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

/* A module's row replaces the core row of its reason, which must not be a handled one. */
struct exit_module_row {
	u32 reason;
	struct exit_row row;
};

/*
 * One row per basic exit reason. Each context has a table (core/vp/ctx.h): exits of our guest and
 * of its own guest need different answers.
 */
struct exit_table {
	struct exit_row row[EXIT_REASON_COUNT]; /* numbers the SDM skips stay holes: fn is NULL */
	/* What the dispatcher calls: the handler, or a stub that reads what the row needs first. */
	exit_fn entry[EXIT_REASON_COUNT];
};
