/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Halt polling: how long a VP that executed HLT polls for an event in root before it sleeps. Each
 * VP adapts its own time to the length of its recent blocks, by the rules of KVM's module
 * parameters of the same names.
 *
 * Context: pure; VP's own CPU.
 */
#pragma once

#include "core/lib/types.h"

struct config;

struct halt_poll {
	u32 value_ns;    /* what the next HLT polls at most */
	bool disallowed; /* the guest polls by itself: do not */
	bool polled;     /* this block began with polling */
	u64 start_tsc;   /* of this block, or of the last while the VP runs; 0: none */
	u64 end_tsc;     /* of the last block; the caller of halt_poll_end() reads it */
	u64 halted_tsc;  /* length of all blocks before that one */
};

/* halt_poll_halted() - TSC ticks that the VP was halted since power-on. It runs.
 * halt_poll_halted_until() - the same while it is halted. */
static inline u64 halt_poll_halted(const struct halt_poll *h)
{
	return h->halted_tsc + (h->start_tsc != 0 ? h->end_tsc - h->start_tsc : 0);
}

static inline u64 halt_poll_halted_until(const struct halt_poll *h, u64 now_tsc)
{
	return h->halted_tsc + (h->start_tsc != 0 ? now_tsc - h->start_tsc : 0);
}

/* halt_poll_begin() - a block begins. Returns how long to poll in ns; 0: sleep at once. */
u32 halt_poll_begin(struct halt_poll *h, const struct config *c);

/**
 * halt_poll_end() - the block is over: adapt the poll time to it.
 * @block_ns: from HLT to the wake, the poll included.
 * @is_event: a guest event ended it, not a reset.
 */
void halt_poll_end(struct halt_poll *h, const struct config *c, u64 block_ns, bool is_event);
