/* SPDX-License-Identifier: BSD-2-Clause */
/* Between syndbg.c and syndbg_calls.c. */
#pragma once

#include "core/lib/lock.h"
#include "core/lib/ring.h"
#include "core/time/timer.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/syndbg_abi.h"

/* The partition's; allocated with VP 0. */
struct syndbg {
	struct spinlock lock; /* LOCK: all below */
	struct timer poll;
	struct ring in, out; /* from and to the serial port */
	u64 control, status, send_gpa, receive_gpa, pending_gpa, options;
	bool told; /* what the guest's pending page says */
};

extern struct syndbg *syndbg;

/* syndbg_serve() - move what can be moved between the rings and the port, and tell the guest
 * whether bytes wait for it. LOCK: syndbg.lock */
void syndbg_serve(const struct partition *p);

/* syndbg_tell() - only the latter. LOCK: syndbg.lock */
void syndbg_tell(const struct partition *p);

/* syndbg_post() - all of @bytes, or, if there is no room for all, none: false. */
bool syndbg_post(struct vp *vp, const u8 *bytes, u32 count);

/* syndbg_calls.c */
#define SYNDBG_HCALLS 3u
extern const struct hcall_row syndbg_hcalls[SYNDBG_HCALLS];
