/* SPDX-License-Identifier: BSD-2-Clause */
/* The serial port behind hv-syndbg, for boot, which has the drivers. */
#pragma once

#include "core/lib/types.h"

/* Called on any CPU, one at a time, root; must not wait. */
struct syndbg_port {
	s32 (*receive)(void);                    /* the next byte that has arrived, -1: none */
	u32 (*send)(const u8 *bytes, u32 count); /* as many as it takes now; how many */
};

/* syndbg_open() - the guest's debugger is at @port, which stays valid. Boot, before the first VP.
 * Without it bytes go nowhere and none come. */
void syndbg_open(const struct syndbg_port *port);
