/* SPDX-License-Identifier: BSD-2-Clause */
/* The fast check behind gpa_is_ram(), inline for the page walk. core/mem only. */
#pragma once

#include "core/hw.h"
#include "core/mem/e820.h"
#include "core/partition.h"

/* Index of the map entry that answered last. A hint: stale, it only costs a search. Any CPU. */
extern u32 gpa_last_hit;

/* e820_covers() - [@base, @base + @len) lies in @e. Wraps are misses. */
static inline bool e820_covers(const struct e820_entry *e, u64 base, u64 len)
{
	u64 off = base - e->base; /* huge when base is below */

	return off < e->len && len <= e->len - off;
}

/* gpa_search() - the entry of the guest's map that covers the whole range, NULL: none. */
const struct e820_entry *gpa_search(const struct partition *p, u64 base, u64 len);

/* gpa_ram_ptr() - mapping of guest RAM, NULL when not all of the range is RAM. */
static inline void *gpa_ram_ptr(const struct partition *p, u64 base, u64 len)
{
	const struct e820_entry *e = &p->memory.e[READ_ONCE(gpa_last_hit) % E820_MAX];

	if (unlikely(!e820_covers(e, base, len) || e->type != E820_RAM)) {
		e = gpa_search(p, base, len);
		if (e == NULL || e->type != E820_RAM)
			return NULL;
	}
	return hw_phys_to_virt(hpa(base)); /* GPA = HPA */
}
