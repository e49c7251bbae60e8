/* SPDX-License-Identifier: BSD-2-Clause */
/* What the multiboot 1 loader handed over: copied before anything else uses low memory. */
#pragma once

#include "boot/load/mb1_abi.h"
#include "core/lib/types.h"

#define BOOT_MMAP_MAX 48

struct boot_range {
	u64 base, len;
	u32 type; /* 1: RAM */
};

/* MB1_INFO_SCREEN. GRUB has two bytes of padding before the colours, the specification has none. */
struct boot_screen {
	u64 address;
	u32 pitch, width, height;
	u8 bits, type, colours[8]; /* position and size of red, green, blue */
} PACKED;

struct boot_data {
	u32 magic, flags;
	u32 mem_lower, mem_upper; /* KiB */
	char cmdline[512];
	char loader[64]; /* its name */
	struct boot_screen screen;
	u8 com1_lcr; /* COM1 as it was handed over */
	u16 com1_divisor;
	u32 mmap_count;
	struct boot_range mmap[BOOT_MMAP_MAX];
};

extern struct boot_data boot;

void boot_copy(void);

/*
 * boot_hv_region() - the hypervisor's own memory: a reserved range in RAM, 2-MiB aligned, from the
 * memory map or `region=START` / `region_len=`. False when there is none.
 */
bool boot_hv_region(u64 *base, u64 *len);

/* boot_is_ram() - [base, base + len) is RAM by the loader's map. */
bool boot_is_ram(u64 base, u64 len);
