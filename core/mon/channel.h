/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One byte channel for several users: received bytes go to the owner on top of a stack, until it
 * hands the channel back to the one below. So the monitor's keys, its line editor and a debugger's
 * packets can share a serial line.
 *
 * Text goes out through the log, one whole line at a time. A quiet owner has the line to itself:
 * log lines wait in the log's ring and follow when it hands the channel back.
 *
 * Context: one VP's CPU, root. Pure.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct channel;
struct vp;

#define CHANNEL_DEPTH    4u  /* owners at a time */
#define CHANNEL_PER_POLL 16u /* bytes: what the FIFO of a serial port holds */

struct channel_owner {
	const char *name;
	void (*byte)(struct vp *vp, struct channel *c, u8 byte); /* may take or hand back @c */
	bool quiet;                                              /* log lines wait */
	u32 polls_per_second; /* how often the port is looked at */
	/* Hand the channel back for the owner after this much silence, so that noise on the line
	 * that looks like its first byte cannot keep it; 0: never. */
	u32 idle_seconds;
};

struct channel {
	s32 (*receive)(void); /* the port: the next byte that has arrived, -1: none */
	const struct channel_owner *owner[CHANNEL_DEPTH];
	u32 depth;
	u64 heard_tsc; /* when the last byte arrived, or the owner changed */
};

/* channel_open() - @first owns the channel while nobody else does. */
void channel_open(struct channel *c, s32 (*receive)(void), const struct channel_owner *first);

/* channel_take() - the next byte goes to @owner. ERR_BUSY: too many owners, or it is one
 * already. */
MUST_CHECK err_t channel_take(struct channel *c, const struct channel_owner *owner);

/* channel_hand_back() - back to the owner before. No effect for the first. */
void channel_hand_back(struct channel *c);

/* channel_send() - a quiet owner's text, sent at once and unchanged: an echo, a packet. */
void channel_send(const char *s, size_t len);

/*
 * channel_poll() - pass at most CHANNEL_PER_POLL received bytes, each to the owner of that moment.
 * Returns the polls per second that the present owner wants.
 */
u32 channel_poll(struct channel *c, struct vp *vp);
