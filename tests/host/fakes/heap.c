/* SPDX-License-Identifier: BSD-2-Clause */
/* Pages for page_alloc() on the development host. Context: tests and fuzzers, one thread. */
#include <stdlib.h>

#include "core/mem/page_alloc.h"
#include "tests/host/fakes/fake.h"

#define HEAP_PAGES 1024u

static u8 heap[HEAP_PAGES * 4096] ALIGNED(4096);

void fake_heap(u32 pages)
{
	if (pages > HEAP_PAGES)
		abort();
	page_alloc_init(heap, (u64)pages * 4096);
}
