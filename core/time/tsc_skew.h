/* SPDX-License-Identifier: BSD-2-Clause */
/* How far another CPU's TSC is from ours, from questions and answers (rule T2). Pure. */
#pragma once

#include "core/lib/types.h"

/* One question and its answer: we read start_tsc and ask, the other CPU reads remote_tsc and
 * answers, we see the answer and read end_tsc. */
struct tsc_exchange {
	u64 start_tsc, end_tsc, remote_tsc;
};

/*
 * The other TSC minus ours is between low and high: what all exchanges together allow. low > high:
 * they contradict each other, so a TSC was moved meanwhile.
 */
struct tsc_skew {
	s64 low, high;
};

#define TSC_SKEW_UNKNOWN ((struct tsc_skew){ .low = -(1ll << 62), .high = 1ll << 62 })

void tsc_skew_add(struct tsc_skew *s, const struct tsc_exchange *e);

/**
 * tsc_skew_is_in_step() - no exchange has shown time going backwards from one CPU to the other.
 *
 * A smaller difference than the exchanges can see does no harm: a guest that compares two readings
 * must have passed one of them to the other CPU, which takes at least as long.
 */
bool tsc_skew_is_in_step(const struct tsc_skew *s);

/* The best guess, and how far it may be off. */
s64 tsc_skew_offset(const struct tsc_skew *s);
u64 tsc_skew_error(const struct tsc_skew *s);
