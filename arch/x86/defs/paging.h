/* SPDX-License-Identifier: BSD-2-Clause */
/* Paging-structure entries, page sizes and page-fault error codes; usable from .S files. */
#pragma once

#include "core/lib/bits.h"

/* clang-format off */

#define PAGE_SHIFT      12
#define PAGE_SIZE       UL64(0x1000)
#define PAGE_MASK       (~(PAGE_SIZE - 1))
#define PAGE_SHIFT_2M   21
#define PAGE_SIZE_2M    UL64(0x200000)
#define PAGE_SHIFT_1G   30
#define PAGE_SIZE_1G    UL64(0x40000000)

#define PT_ENTRIES      512
#define PT_INDEX_BITS   9

/* SDM Vol. 3A, "4-Level Paging and 5-Level Paging". */
#define PTE_P           BIT64(0)
#define PTE_W           BIT64(1)
#define PTE_U           BIT64(2)
#define PTE_PWT         BIT64(3)
#define PTE_PCD         BIT64(4)
#define PTE_A           BIT64(5)
#define PTE_D           BIT64(6)
#define PTE_PS          BIT64(7)                /* in a PDE or PDPTE: maps a page */
#define PTE_PAT         BIT64(7)                /* in a PTE */
#define PTE_G           BIT64(8)
#define PTE_R           BIT64(11)               /* HLAT restart */
#define PTE_PAT_LARGE   BIT64(12)               /* with PTE_PS */
#define PTE_PKEY        GENMASK64(62, 59)
#define PTE_NX          BIT64(63)

#define PTE_ADDR        GENMASK64(51, 12)
#define PTE_ADDR_2M     GENMASK64(51, 21)
#define PTE_ADDR_1G     GENMASK64(51, 30)

/* 32-bit paging */
#define PDE32_ADDR      0xfffff000
#define PDE32_ADDR_4M   0xffc00000
#define PDE32_PSE36     0x001fe000              /* physical bits 39:32 of a 4-MByte page */

/* PAE PDPTE bits that must be zero, besides those above MAXPHYADDR. */
#define PDPTE_PAE_RSVD  (GENMASK64(2, 1) | GENMASK64(8, 5))

/* SDM Vol. 3A, "Page-Fault Exceptions". */
#define PFEC_P          BIT32(0)                /* protection violation; 0: not present */
#define PFEC_W          BIT32(1)
#define PFEC_U          BIT32(2)
#define PFEC_RSVD       BIT32(3)
#define PFEC_I          BIT32(4)                /* instruction fetch */
#define PFEC_PK         BIT32(5)
#define PFEC_SS         BIT32(6)
#define PFEC_HLAT       BIT32(7)
#define PFEC_SGX        BIT32(15)

#ifndef __ASSEMBLER__

/* Index into the structure of 'level': 1 = page table ... 4 = PML4, 5 = PML5. */
static inline u32 pt_index(u64 linear, u32 level)
{
	return (u32)(linear >> (PAGE_SHIFT + PT_INDEX_BITS * (level - 1))) & (PT_ENTRIES - 1);
}

/* Bits above the implemented linear-address width repeat its top bit. 'width': 48 or 57. */
static inline bool addr_is_canonical(u64 linear, u32 width)
{
	return (u64)((s64)(linear << (64 - width)) >> (64 - width)) == linear;
}

#endif /* __ASSEMBLER__ */
