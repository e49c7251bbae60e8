/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One instruction of a held VP, then back to the hold. Interrupts and NMIs wait meanwhile, so that
 * a step does not end up in a handler.
 *
 *   plain instruction      RFLAGS.TF and its #DB, which the guest does not see
 *   PUSHF                  the same; TF is taken out of what it pushed
 *   POPF, IRET             the same; TF is then what they loaded
 *   MOV SS, POP SS         the step covers the next instruction, too: they hold the #DB back
 *   INT n, INT3, INTO, INT1, and an event that is queued: injected; the step ends at the first
 *                          instruction of its handler
 *   SYSCALL, SYSENTER, SYSRET, SYSEXIT: a breakpoint where they lead to, because they do not keep
 * TF REP                    one iteration HLT                    ends at once, as the trap would
 * end it an instruction that exits, emulated or not: as if it had not one that faults        does
 * not move: the exception is queued, and the next step delivers it
 *
 * Two things are visible: a task switch saves TF in the old TSS, and so does INT n in virtual-8086
 * mode on its stack.
 *
 * Context: VP's CPU, root.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct exit_info;
struct vp;

enum step_how { STEP_TRAP, STEP_EVENT, STEP_BREAKPOINT };

/* How a step came to its end. */
enum step_end {
	STEP_DONE,   /* RIP is what comes next */
	STEP_RAISED, /* the instruction raised an exception, which is queued */
	STEP_RESET,  /* INIT */
};

typedef void (*step_fn)(struct vp *vp, enum step_end end);

struct step {
	bool active; /* the VP runs though it is held */
	enum step_how how;
	step_fn done;
	u64 from;      /* RIP */
	bool tf;       /* the guest's own, before */
	bool loads_tf; /* the instruction does, or pushes it */
	bool btf;      /* DEBUGCTL.BTF is the guest's, and aside */
	bool pushes_tf;
	u64 dr0, dr7; /* the guest's, while the breakpoint is ours */
};

/**
 * step_begin() - @vp, which is held and stopped, runs one instruction. @done is called on its CPU
 * when it is held again, or has been let go. ERR_BUSY: it is stepping. ERR_INVAL: it is not
 * stopped. ERR_NODEV: it does not execute instructions (HLT, waiting for SIPI, shut down), or an
 * event waits to be delivered inside an NMI handler, where nothing stops it behind the delivery.
 */
MUST_CHECK err_t step_begin(struct vp *vp, step_fn done);

/* step_exception() - the owner EXC_OWNER_STEP: its own #DB ends the step. */
bool step_exception(struct vp *vp, struct exit_info *x);

/*
 * For event.c while event_state.stepping: step_delivers() - the queued event is the step; else
 * step_raised() - one is queued: the instruction has raised it. step_window() - the window that
 * follows a delivery.
 */
bool step_delivers(const struct vp *vp);
void step_raised(struct vp *vp);
void step_window(struct vp *vp);

/* step_forget() - INIT: all state is new. */
void step_forget(struct vp *vp);
