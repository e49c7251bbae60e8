/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages of the hypervisor region. Nearly all are allocated at boot for good; only EPT tables
 * come back. */
#pragma once

#include "core/lib/types.h"

/* page_alloc_init() - the heap: [@va, @va + @bytes), page aligned, inside the region. */
void page_alloc_init(void *va, u64 bytes);

/* page_alloc() - one zeroed 4-KiB page; NULL when the heap is used up. Any CPU. */
void *page_alloc(void);
/* page_alloc_n() - @n contiguous zeroed pages, aligned to @align_pages (power of two). */
void *page_alloc_n(u32 n, u32 align_pages);
void page_free(void *page);
u64 page_free_count(void);
u64 page_total_count(void);
