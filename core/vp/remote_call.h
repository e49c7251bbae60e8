/* SPDX-License-Identifier: BSD-2-Clause */
/* Run a function on the CPU of another VP. Pure. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vp;

typedef void (*remote_fn)(struct vp *vp, void *arg);

/* When a call may be served. */
enum remote_when {
	REMOTE_ANY,           /* also in the middle of an exit, where that waits for another CPU */
	REMOTE_BETWEEN_EXITS, /* the registers are those of the next entry */
	REMOTE_WHENS
};

/* In struct vp: the one call this VP makes, and those it is to serve. */
struct remote_call {
	remote_fn fn;
	void *arg;
	bool done;
	bool waits; /* remote reads: in remote_call_between(), so it serves none of these itself */
	struct remote_call *incoming[REMOTE_WHENS]; /* remote, atomic; NULL: none */
};

/**
 * remote_call() - run @fn(@vp, @arg) on the CPU of @vp, in root between an exit and an entry with
 * its VMCS current. Works whatever the VP does: HLT, waiting for a SIPI, looping with IF = 0.
 * Returns when @fn has returned. False: @vp does not run yet, or did not answer within 10 ms; then
 * @fn has not run and will not. Context: a VP's CPU, no locks; @fn must not call remote_call().
 */
MUST_CHECK bool remote_call(struct vp *vp, remote_fn fn, void *arg);

/**
 * remote_call_between() - the same, but never in the middle of an exit of @vp: for a @fn that
 * changes registers. On @vp's own CPU it runs at once, in the middle of this exit.
 *
 * ERR_AGAIN: @fn has not run; return to the guest before trying again, as this CPU may have a call
 * of the same kind to serve: of two VPs that call each other the one with the higher index gives
 * way. Also if @vp did not answer within 10 ms. ERR_NODEV: @vp does not run yet.
 */
MUST_CHECK err_t remote_call_between(struct vp *vp, remote_fn fn, void *arg);

/* remote_call_wait() - body of every loop that waits in root for another CPU. That CPU may be
 * waiting for us, here or in ept_flush(): without this, both wait for ever. */
void remote_call_wait(struct vp *self);

/* remote_call_serve() - VP_WORK_CALL, between two exits. */
void remote_call_serve(struct vp *vp);
