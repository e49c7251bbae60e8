/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The synthetic interrupt controller (SynIC) of each VP, for features that send by it: 16 sources
 * (SINTs), each with a vector, a slot for one message and 2048 event flags.
 *
 * A message that finds the slot full stays with its sender, which tries again when it is told that
 * the slot may be free. So is one that finds the SynIC or its message page off.
 *
 * All of it needs the feature hv-synic. Its vp_reset hook runs before those of later features: all
 * SINTs are masked then, both pages are off and empty, and nobody is called. A sender forgets what
 * it keeps for @vp in its own hook.
 *
 * Spec: TLFS "Inter-Partition Communication": "SynIC Messages", "SynIC Event Flags", "SynIC MSRs".
 */
#pragma once

#include "core/lib/types.h"
#include "hv/hyperv/hyperv_abi.h"

struct vp;

enum synic_result {
	SYNIC_OK,
	SYNIC_BUSY, /* the slot is full: its pending flag is set, the listener will be called */
	SYNIC_OFF,  /* SCONTROL, or the page, is off: the listener is called when both are on */
};

/*
 * synic_request() - request the interrupt of @sint, an edge. Masked or polled: nothing happens.
 * Any CPU.
 */
void synic_request(struct vp *vp, u32 sint);

/**
 * synic_send() - copy @m to the message slot of @sint, its payload_size bytes (at most
 * HV_MESSAGE_PAYLOAD_BYTE_COUNT), and request the interrupt. A masked SINT takes the message, too.
 * Any CPU. LOCK: takes the SynIC's, a leaf.
 */
enum synic_result synic_send(struct vp *vp, u32 sint, const struct hv_message *m);

/*
 * synic_listen() - @fn hears when the slots of @sints (bit i: SINT i) may be free: after EOM, the
 * EOI of a SINT's vector, or when the SynIC or its page is switched on. Only SINTs for which
 * synic_send() was not SYNIC_OK since the last call; those with no message of yours are another
 * sender's. @fn sends again what it has, or does nothing. VP's CPU, no locks. Call it in vp_create;
 * one listener.
 */
typedef void (*synic_free_fn)(struct vp *vp, u32 sints);
void synic_listen(synic_free_fn fn);
