/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest with memory for host tests: the partition, one VP, 1 MiB of RAM at 0 and page tables in
 * it. rig.h is the other fixture: all rows registered, no page tables.
 */
#pragma once

#include "core/emul/emul.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "tests/host/fakes/fake.h"

#define PAGED_RAM_BYTES 0x100000u
#define PAGED_TABLES    0x1000u  /* page tables grow from here */
#define PAGED_CODE_GPA  0x60000u /* identity-mapped by paged_code() */

extern u8 paged_ram[PAGED_RAM_BYTES];
extern struct vp paged_vp;

/*
 * paged_reset() - everything anew, fake_reset() included; flat segments at CPL 0. EMUL_64: 4-level
 * paging with nothing mapped; EMUL_32: protected mode, paging off; EMUL_16: real mode.
 */
void paged_reset(enum emul_mode mode);

/* paged_map() - one 4-KiB page in the 4-level tables; upper levels get P, W, U. */
void paged_map(u64 gva, u64 gpa, u64 flags);

/* paged_entry() - the entry of @gva at @level, NULL when a table above it is missing. */
u64 *paged_entry(u64 gva, u32 level);

/* paged_code() - put @len bytes at PAGED_CODE_GPA + @offset and point RIP there. */
void paged_code(u32 offset, const void *bytes, u32 len);

/* paged_set_drops_writes() - take drops_writes away from a page class, or give it back. */
void paged_set_drops_writes(enum page_kind kind, bool drops);

/* paged_exception() - vector of the queued exception, -1: none. paged_error(): its code. */
int paged_exception(void);
u32 paged_error(void);
