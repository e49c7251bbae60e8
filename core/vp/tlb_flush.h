/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flushes of the TLBs of other VPs, for a guest that asks by hypercall. (Changes of the EPT:
 * ept_flush().) Pure.
 *
 * A flush drops all that a VP has cached of its linear addresses: all PCIDs, global translations
 * and paging structures. Single addresses are not worth a form of their own: the targets have an
 * exit and an entry behind them, and the list would have to reach them.
 *
 * Context: VP's own CPU, root.
 * Spec:    SDM Vol. 3C "Operations that Invalidate Cached Mappings", INVVPID.
 */
#pragma once

#include "core/vp/vp_mask.h"

/**
 * tlb_flush() - when this returns, no VP in @targets executes another instruction with what it had
 * cached before the call. It does not wait for the flushes: a VP that ran is in root, and flushes
 * before its next entry. One that is parked (core/vp/park.h) gets no kick and flushes when it
 * resumes; one that never entered has nothing cached.
 *
 * Serves other CPUs while it waits. No locks, no pins.
 */
void tlb_flush(struct vp *self, const struct vp_mask *targets);

/* tlb_flush_first() - the same for VPs 0 to 63: bit i of @targets is VP i. */
void tlb_flush_first(struct vp *self, u64 targets);

/* tlb_flush_local() - VP_WORK_TLB. */
void tlb_flush_local(struct vp *vp);
