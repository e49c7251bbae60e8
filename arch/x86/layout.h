/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Virtual address space of the hypervisor; usable from .S files.
 *
 *   0                     nothing is mapped below the upper half, page 0 included
 *   PHYSMAP_BASE + pa     RAM and firmware tables, RW NX; the hypervisor region is left out
 *   KENSHO_BASE + 1 MiB image (text RX, rodata R, data and bss RW NX), then the heap (RW NX):
 *                         one contiguous piece of physical memory, the hypervisor region
 *   MMIO_BASE             device registers, uncached, RW NX; pages given out by mmio_map(). In the
 *                         early tables: firmware's tables, R NX
 *   FRAMEBUFFER_BASE + pa mod 2 MiB
 *                         the screen, write-combining, RW NX; in the early tables, too
 */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

#define KENSHO_BASE     UL64(0xffffffff80000000)        /* = linker.ld */
#define LOAD_PA         0x100000                        /* = linker.ld */
#define PHYSMAP_BASE    UL64(0xffff888000000000)
#define PHYSMAP_BYTES   UL64(0x0000400000000000)        /* 64 TiB: MAXPHYADDR 46 */
#define MMIO_BASE       UL64(0xffffffffc0000000)
#define MMIO_BYTES      UL64(0x0000000000200000)
#define FRAMEBUFFER_BASE UL64(0xffffffffe0000000)       /* in the last GiB, as MMIO_BASE is */

#define MAIN_STACK_BYTES 0x3000
#define IST_STACK_BYTES  0x2000
#define MAIN_STACK_TOP   (0x1000 + MAIN_STACK_BYTES)    /* in struct cpu_stacks: guard page first */

/* clang-format on */

#ifndef __ASSEMBLER__

#include "core/lib/types.h"

/* Symbols of linker.ld. Page aligned, except the exception table. */
extern u8 image_start[], text_start[], text_end[], rodata_start[], rodata_end[];
extern u8 data_start[], data_end[], image_end[], load_end[];

#endif /* __ASSEMBLER__ */
