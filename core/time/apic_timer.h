/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The physical local APIC's timer as the run timer (core/time/run_timer.h). It counts in root and
 * in the guest alike, so it is programmed once for a deadline; its interrupt ends the guest's run
 * like a device's.
 *
 * Its vector is the highest that is not the guest's spurious one: no held level vector of a lower
 * class blocks it. One of the same class does until its EOI, which nobody can see: the guest's own
 * APIC blocks its timer as long, and each exit looks at the queue.
 *
 * A device may use the vector as well. An interrupt is the timer's only if the timer has expired;
 * once one came that was not, the vector counts as shared, and the guest gets every one.
 *
 * Pure. Context: VP's own CPU, interrupts disabled.
 * Spec: SDM Vol. 3A "APIC Timer", "TSC-Deadline Mode".
 */
#pragma once

#include "core/lib/types.h"

struct vp;

#define APIC_TIMER_FIRST 0xfeu /* its vector is this or the next, the last */

struct apic_timer {
	u64 armed_tsc; /* expires then, roughly; 0: not armed */
	u32 vector;
	u32 pending; /* bit n: an earlier arming's interrupt of vector FIRST + n may be in the IRR
		      */
	u32 shared;  /* bit n: a device uses vector FIRST + n, too */
};

/* apic_timer_open() - set up the physical entry and disarm it. After each change of the physical
 * SVR to @svr, and after a reset, which mask the entry. Does nothing where another timer is in use.
 */
void apic_timer_open(struct vp *vp, u32 svr);

/* apic_timer_arm() - expire at vp->deadline_tsc at the latest; sets vp->rearm_tsc. */
void apic_timer_arm(struct vp *vp, u64 now_tsc);

/* What an interrupt in the physical ISR is: bits. */
enum apic_timer_irq { APIC_TIMER_IRQ_OURS = 1, APIC_TIMER_IRQ_DEVICE = 2 };

/**
 * apic_timer_take() - whose is this edge-triggered interrupt? Then the next entry arms the timer
 * anew. Once for each, before its EOI.
 * @vector: APIC_TIMER_FIRST or above.
 */
u32 apic_timer_take(struct vp *vp, u32 vector);

/* apic_timer_irr() - the bits of IRR register @reg that are the timer's, not the guest's. */
u32 apic_timer_irr(const struct vp *vp, u32 reg);
