/* SPDX-License-Identifier: BSD-2-Clause */
/* Page heap of the hypervisor region: a bump pointer plus a list of returned pages. Any CPU. */
#include "core/mem/page_alloc.h"

#include "arch/x86/defs/paging.h"
#include "core/diag/panic.h"
#include "core/lib/lock.h"
#include "core/lib/string.h"

/* A free page holds the link to the next one. */
struct free_page {
	struct free_page *next;
};

static struct {
	struct spinlock lock; /* LOCK: everything below */
	u8 *base;
	u8 *next; /* never handed out from here to @end */
	u8 *end;
	struct free_page *free;
	u64 free_pages; /* on the list */
} heap;

void page_alloc_init(void *va, u64 bytes)
{
	ASSERT(IS_ALIGNED((uintptr_t)va, PAGE_SIZE) && IS_ALIGNED(bytes, PAGE_SIZE));
	heap.base = va;
	heap.next = va;
	heap.end = heap.base + bytes;
	heap.free = NULL;
	heap.free_pages = 0;
}

static void list_push(void *page)
{
	struct free_page *f = page;

	f->next = heap.free;
	heap.free = f;
	heap.free_pages++;
}

void *page_alloc(void)
{
	void *page = NULL;

	spin_lock(&heap.lock);
	if (heap.free != NULL) {
		page = heap.free;
		heap.free = heap.free->next;
		heap.free_pages--;
	} else if (heap.next != heap.end) {
		page = heap.next;
		heap.next += PAGE_SIZE;
	}
	spin_unlock(&heap.lock);

	if (page != NULL)
		(void)memset(page, 0, PAGE_SIZE);
	return page;
}

void *page_alloc_n(u32 n, u32 align_pages)
{
	u64 align = (u64)align_pages * PAGE_SIZE;
	u8 *page = NULL;
	u64 skip, left;

	if (n == 0 || align_pages == 0 || (align_pages & (align_pages - 1)) != 0)
		return NULL;

	spin_lock(&heap.lock);
	skip = -(u64)(uintptr_t)heap.next & (align - 1);
	left = (u64)(heap.end - heap.next);
	if (skip <= left && n * PAGE_SIZE <= left - skip) {
		page = heap.next + skip;
		/* Keep the pages that alignment skips, as single pages. */
		for (u8 *hole = heap.next; hole != page; hole += PAGE_SIZE)
			list_push(hole);
		heap.next = page + n * PAGE_SIZE;
	}
	spin_unlock(&heap.lock);

	if (page != NULL)
		(void)memset(page, 0, n * PAGE_SIZE);
	return page;
}

void page_free(void *page)
{
	u8 *p = page;

	ASSERT(IS_ALIGNED((uintptr_t)p, PAGE_SIZE) && p >= heap.base && p < heap.next);
	spin_lock(&heap.lock);
	list_push(p);
	spin_unlock(&heap.lock);
}

u64 page_free_count(void)
{
	return heap.free_pages + (u64)(heap.end - heap.next) / PAGE_SIZE;
}

u64 page_total_count(void)
{
	return (u64)(heap.end - heap.base) / PAGE_SIZE;
}
