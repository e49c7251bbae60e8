/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor: commands on the log console while the guest runs. docs/monitor.md. */
#pragma once

#include "core/lib/types.h"

struct vp;

/**
 * monitor_start() - @vp serves the monitor from now on, by timers in its deadline queue: commands,
 * and a dump of the counters every stats= seconds.
 * @receive: the next byte from the log console, -1: none; NULL: nobody can type.
 * Context: VP 0's CPU, before the guest runs.
 */
void monitor_start(struct vp *vp, s32 (*receive)(void));

/* monitor_dump_counters() - of all VPs, in pieces, between which the guest runs. */
void monitor_dump_counters(struct vp *vp, const char *why);
