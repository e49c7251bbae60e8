/* SPDX-License-Identifier: BSD-2-Clause */
/* A VP's own TSC after it wrote IA32_TSC or IA32_TSC_ADJUST (rule T2). */
#pragma once

#include "core/lib/types.h"

struct vp;

/**
 * guest_tsc_shift() - the guest moved its TSC by @delta_tsc (two's complement).
 *
 * Turns TSC offsetting on for this VP and moves IA32_TSC_ADJUST along. TSC-deadline timers keep
 * their guest value, so they move in physical time. Tells the modules: with unequal offsets their
 * clocks differ between VPs.
 * Context: the VP's own CPU.
 * Spec: SDM Vol. 3B "Time-Stamp Counter Adjustment".
 */
void guest_tsc_shift(struct vp *vp, u64 delta_tsc);
