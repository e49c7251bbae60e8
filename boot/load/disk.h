/* SPDX-License-Identifier: BSD-2-Clause */
/* guest=disk0: boot what the firmware of a BIOS machine would boot from its first disk. Pure. */
#pragma once

#include "boot/load/bios_hook.h"

struct disk_input {
	const struct e820_map *memory; /* the guest's: region already reserved */
	struct bios_hook hook;
};

/**
 * disk_plan() - plan a guest that starts in the real-mode code of the hook; @guest: the map that it
 * is told.
 *
 * ERR_NODEV: no BIOS. ERR_NOMEM: no place, or the map is too long; out->why has the remedy.
 */
MUST_CHECK err_t disk_plan(const struct disk_input *in, struct e820_map *guest,
			   struct load_plan *out);
