/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The hypervisor's own page tables: W^X, guard pages, nothing of the guest executable. The layout
 * is in layout.h.
 *
 * Context: boot, one CPU. After boot the tables change no more.
 */
#pragma once

#include "core/lib/types.h"

/* paging_begin() - tables for image and heap, in the region [@base, @base + @bytes): 2 MiB aligned
 * RAM below 4 GiB that nothing uses. */
void paging_begin(u64 base, u64 bytes);

/* paging_add_memory() - physmap for [@start, @end), without the region. Page aligned, ascending. */
void paging_add_memory(u64 start, u64 end);

/**
 * paging_early_framebuffer() - map the screen in the tables of entry.S. paging_add_framebuffer() -
 * the same in the final tables; between paging_begin() and paging_move().
 *
 * Both map it at the address that they return. At most FRAMEBUFFER_BYTES_MAX bytes.
 */
void *paging_early_framebuffer(u64 pa, u64 bytes);
void *paging_add_framebuffer(u64 pa, u64 bytes);

/*
 * paging_early_table() - a read-only window in the tables of entry.S onto one of firmware's tables,
 * wherever it is; the MTRRs say how cacheable. There is one: the next call moves it. NULL: @bytes
 * is more than EARLY_TABLE_BYTES.
 */
#define EARLY_TABLE_BYTES (16ull << 20)
const void *paging_early_table(u64 pa, u64 bytes);

/**
 * paging_move() - copy the image into the region and switch to the copy. The old image is unused
 * afterwards, and the tables cannot grow any more.
 * @heap_bytes: rest of the region after image and tables
 *
 * Returns the start of the heap.
 */
void *paging_move(u64 *heap_bytes);

/* paging_enter() - switch the calling AP to the hypervisor's tables. */
void paging_enter(void);

/* paging_guard() - unmap the guard pages of @s, which is page aligned in the heap. Boot CPU,
 * before another CPU uses them. */
struct cpu_stacks;
void paging_guard(const struct cpu_stacks *s);

/* mmio_map() - uncached mapping of device registers, for ever. Panics when the window is full. */
void *mmio_map(hpa_t pa, u64 bytes);

/* table_map() - the same for firmware's tables outside the physmap: as cacheable as the MTRRs say.
 */
void *table_map(hpa_t pa, u64 bytes);

/* paging_is_mapped() - an 8-byte read of @va will not fault. Walks the tables; any context. */
bool paging_is_mapped(u64 va);

struct paging_stats {
	u32 tables;
	u64 executable, writable, read_only; /* bytes */
};

/* paging_check() - walk all tables; panics when a page is writable and executable. */
struct paging_stats paging_check(void);

/* paging_switch() - move.S: copy @bytes (multiple of 8) from @src to @dst, then load @cr3. */
void paging_switch(void *dst, const void *src, u64 bytes, u64 cr3);
