/* SPDX-License-Identifier: BSD-2-Clause */
/* The monitor: commands on the log console while the guest runs. docs/monitor.md. */
#pragma once

#include "core/lib/types.h"

struct vp;

/**
 * monitor_start() - from now on @vp serves the monitor, by timers of its deadline queue: every
 * stats= seconds a dump of the counters, and what is typed.
 * @receive: the next byte from the log console, -1: none; NULL: nobody can type.
 * Context: VP 0's CPU, before the guest runs.
 */
void monitor_start(struct vp *vp, s32 (*receive)(void));

/* monitor_dump_counters() - of all VPs; goes on by a timer where it gives way. */
void monitor_dump_counters(struct vp *vp, const char *why);
