/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The BIOS of the machine in the partition: its answers about memory (INT 15h, INT 12h) would give
 * away the hypervisor's region as free RAM. Real-mode code of ours (boot/disk_stub.S) at the end of
 * conventional memory answers in its place. Pure.
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

struct bios_hook {
	const char *what; /* the guest, in messages */
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
 * bios_hook_place() - reserve a block in @guest, the map that the guest is told. *base: where.
 *
 * The block goes right below what the BIOS holds at the end of conventional memory, and lowers the
 * size in the BIOS data area: that is how firmware takes memory for its own extensions, and
 * programs that never call INT 15h respect it, too.
 *
 * ERR_NOMEM: no place, or the map is too long; out->why has the remedy.
 */
MUST_CHECK err_t bios_hook_place(const struct bios_hook *h, struct e820_map *guest, u64 *base,
				 struct load_plan *out);

/* bios_hook_add() - the steps of the plan that write the block at @base, with the complete map
 * @guest in it, and hook the BIOS. Their destinations are RAM in the map without the block. */
MUST_CHECK err_t bios_hook_add(const struct bios_hook *h, const struct e820_map *guest, u64 base,
			       struct load_plan *out);
