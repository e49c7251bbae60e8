/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run one instruction of a held VP, then hold it again. Interrupts and NMIs wait meanwhile, or a
 * step would end up in a handler.
 *
 *   plain instruction      RFLAGS.TF and its #DB, which the guest does not see
 *   PUSHF                  the same; TF is taken out of what it pushed
 *   POPF, IRET             the same; TF is then what they loaded
 *   MOV SS, POP SS         the step covers the next instruction, too: they hold the #DB back
 *   INT n, INT3, INTO, INT1, and an event that is queued: injected; the step ends at the first
 *                          instruction of its handler
 *   SYSCALL and its kin    a breakpoint where they lead to: they do not keep TF
 *   REP                    one iteration
 *   HLT                    ends at once, as the trap would end it
 *   one that exits         emulated or not: as if it had not
 *   one that faults        does not move: the exception is queued, the next step delivers it
 *
 * The guest can see two things: a task switch saves TF in the old TSS, and INT n of virtual-8086
 * mode pushes it.
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

/* How a step ended. */
enum step_end {
	STEP_DONE,   /* RIP is at the next instruction */
	STEP_RAISED, /* the instruction raised an exception, which is queued */
	STEP_RESET,  /* INIT */
};

typedef void (*step_fn)(struct vp *vp, enum step_end end);

struct step {
	bool active; /* the VP runs although it is held */
	enum step_how how;
	step_fn done;
	u64 from;      /* RIP */
	bool tf;       /* the guest's own TF, before */
	bool loads_tf; /* the instruction loads TF */
	bool btf;      /* the guest had set DEBUGCTL.BTF, cleared meanwhile */
	bool pushes_tf;
	u64 dr0, dr7; /* the guest's, while we use the breakpoint */
};

/**
 * step_begin() - let @vp, which is held and stopped, run one instruction. @done is called on its
 * CPU when the step has ended, even if the hold was released. ERR_BUSY: it is stepping. ERR_INVAL:
 * it is not stopped. ERR_NODEV: it does not execute instructions (HLT, waiting for SIPI, shut
 * down), or an event is due inside an NMI handler, where no NMI window could stop the VP after the
 * delivery.
 */
MUST_CHECK err_t step_begin(struct vp *vp, step_fn done);

/* step_exception() - owner EXC_OWNER_STEP: our own #DB ends the step. */
bool step_exception(struct vp *vp, struct exit_info *x);

/*
 * For event.c while event_state.stepping. step_delivers(): the step is the delivery of the queued
 * event. step_raised(): otherwise, a queued event is one that the instruction raised.
 * step_window(): the NMI window after a delivery has opened.
 */
bool step_delivers(const struct vp *vp);
void step_raised(struct vp *vp);
void step_window(struct vp *vp);

/* step_forget() - INIT replaced all state: end the step. */
void step_forget(struct vp *vp);
