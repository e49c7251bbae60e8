/* SPDX-License-Identifier: BSD-2-Clause */
/* Run a function on the CPU of another VP. Pure. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct vp;

typedef void (*remote_fn)(struct vp *vp, void *arg);

/* In struct vp: the call this VP makes, one at a time, and the one it is to serve. */
struct remote_call {
	remote_fn fn;
	void *arg;
	bool done;
	struct remote_call *incoming; /* remote, atomic; NULL: none */
};

/**
 * remote_call() - @fn(@vp, @arg) runs on the CPU of @vp, in root between an exit and an entry, with
 * its VMCS current, wherever the VP is: in the guest, in root, in HLT, waiting for SIPI, in a loop
 * with IF = 0. Returns when it has run. False: @vp does not run yet, or did not answer within 10
 * ms; then @fn has not run and will not. Context: a VP's CPU, no locks; @fn must not call it.
 */
MUST_CHECK bool remote_call(struct vp *vp, remote_fn fn, void *arg);

/* remote_call_wait() - one turn of a loop that waits in root for other CPUs: they may be waiting
 * for
 * @self, here or in ept_flush(). */
void remote_call_wait(struct vp *self);

/* remote_call_serve() - VP_WORK_CALL. */
void remote_call_serve(struct vp *vp);
