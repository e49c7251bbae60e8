/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guest=disk0: boot what the firmware of a BIOS machine would boot from its first disk. The plan
 * puts our real-mode code (boot/disk_stub.S) at the end of conventional memory, reserves it, and
 * hooks INT 15h and INT 12h: the firmware's answers would give away the hypervisor's region as free
 * RAM. Pure.
 */
#pragma once

#include "boot/load/load.h"
#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/mem/e820.h"

/* Facts about the firmware from the first MiB, read before we change anything. */
struct bios_info {
	bool is_present;      /* it has the services that a boot sector calls */
	u16 conventional_kib; /* memory that programs may use, from 0 on */
	u64 ebda;             /* extended BIOS data area, 0: none */
	u32 int12, int15;     /* offset and segment, as they are in the vector table */
	u32 pnp; /* offset and segment of the Plug and Play installation check, 0: none */
};

struct disk_input {
	const struct e820_map *memory; /* the guest's: region already reserved */
	const struct bios_info *bios;
	const u8 *stub; /* boot/disk_stub.S */
	u32 stub_len;
	u16 com1; /* port for the stub's messages, 0: the screen only */
};

/* bios_ebda() - the extended BIOS data area that the first MiB at @low names; 0: none. */
u64 bios_ebda(const u8 *low);

/**
 * bios_read() - @low: the first MiB of memory.
 *
 * Spec: BIOS data area of the IBM PC/AT Technical Reference; Plug and Play BIOS Specification 1.0A
 *       "Plug and Play Installation Check".
 */
void bios_read(const u8 *low, struct bios_info *out);

/**
 * disk_plan() - plan a guest that starts in the stub; @guest: the map that it is told.
 *
 * The stub goes right below what the BIOS holds at the end of conventional memory, and lowers the
 * size in the BIOS data area: that is how firmware takes memory for its own extensions, and
 * programs that never call INT 15h respect it, too.
 *
 * ERR_NODEV: no BIOS. ERR_NOMEM: no place, or the map is too long; out->why has the remedy.
 */
MUST_CHECK err_t disk_plan(const struct disk_input *in, struct e820_map *guest,
			   struct load_plan *out);
