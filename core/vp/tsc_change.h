/* SPDX-License-Identifier: BSD-2-Clause */
/* The machine's TSC changes its frequency under the guest: core/time/tsc_emul.h. */
#pragma once

#include "core/lib/types.h"

struct partition;

/**
 * tsc_frequency_change() - the machine's TSC counts @hz from now on. @emulate: not yet for the
 * guest; else the clocks of the guest change at once. Nothing happens during an emulation.
 * Holds all VPs meanwhile; a second caller of either function waits for the first. Context: a VP's
 * CPU, root, no locks.
 */
void tsc_frequency_change(struct partition *p, u64 hz, bool emulate);

/* tsc_emulation_end() - the guest's TSC goes on from where it is, at the new frequency, and so do
 * its clocks. Does nothing if there is no emulation. Context as above. */
void tsc_emulation_end(struct partition *p);
