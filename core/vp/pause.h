/* SPDX-License-Identifier: BSD-2-Clause */
/* A pause of the whole partition: every VP stays in root for a while. Pure. */
#pragma once

#include "core/lib/types.h"

struct partition;
struct vp;

/**
 * partition_pause() - all VPs that take part stay in root until @ticks TSC ticks from now; calls
 * from other CPUs and EPT flushes are served. Returns at once: the VPs pause before their next
 * entry. Afterwards each VP's modules hear of it. Any VP's CPU.
 */
void partition_pause(struct partition *p, u64 ticks);

/* pause_serve() - VP_WORK_PAUSE: stay. */
void pause_serve(struct vp *vp);
