/* SPDX-License-Identifier: BSD-2-Clause */
/* Run a function on the CPU of another VP. Pure. */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

struct vp;

typedef void (*remote_fn)(struct vp *vp, void *arg);

/* In struct vp: the one call this VP makes, and the one it is to serve. */
struct remote_call {
	remote_fn fn;
	void *arg;
	bool done;
	struct remote_call *incoming; /* remote, atomic; NULL: none */
};

/**
 * remote_call() - run @fn(@vp, @arg) on the CPU of @vp, in root between an exit and an entry with
 * its VMCS current. Works whatever the VP does: HLT, waiting for a SIPI, looping with IF = 0.
 * Returns when @fn has returned. False: @vp does not run yet, or did not answer within 10 ms; then
 * @fn has not run and will not. Context: a VP's CPU, no locks; @fn must not call remote_call().
 */
MUST_CHECK bool remote_call(struct vp *vp, remote_fn fn, void *arg);

/* remote_call_wait() - body of every loop that waits in root for another CPU. That CPU may be
 * waiting for us, here or in ept_flush(): without this, both wait for ever. */
void remote_call_wait(struct vp *self);

/* remote_call_serve() - VP_WORK_CALL. */
void remote_call_serve(struct vp *vp);
