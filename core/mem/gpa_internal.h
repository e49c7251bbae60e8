/* SPDX-License-Identifier: BSD-2-Clause */
/* The usual case of gpa_pin(), inline for the page walk. core/mem only. */
#pragma once

#include "core/hw.h"
#include "core/mem/e820.h"
#include "core/partition.h"

/* e820_covers() - [@base, @base + @len) lies in @e. Wraps are misses. */
static inline bool e820_covers(const struct e820_entry *e, u64 base, u64 len)
{
	u64 off = base - e->base; /* wraps to huge when base is below */

	return off < e->len && len <= e->len - off;
}

/* pin_ram_search() - pin_ram() when the hint does not help. */
void *pin_ram_search(const struct partition *p, u64 base, u64 len);

/*
 * Byte offset of the memory-map entry that answered last. A stale hint only costs a search. It also
 * switches the fast path off: while p->ram_holes is not 0 nobody sets it, and gpa_forget_hint()
 * points it at an entry that covers nothing, which saves every level of every page walk a test. Any
 * CPU.
 */
extern u32 gpa_ram_hint;

/*
 * pin_ram() - plain guest RAM, where GPA = HPA and nothing needs unpinning. NULL: not all of it is:
 * use gpa_pin(). SPEED(ram-hint): the entry that answered last is tried first.
 */
static inline void *pin_ram(const struct partition *p, u64 base, u64 len)
{
	const struct e820_entry *e =
		(const void *)((const u8 *)p->memory.e + READ_ONCE(gpa_ram_hint));

	if (unlikely(!e820_covers(e, base, len) || e->type != E820_RAM))
		return pin_ram_search(p, base, len);
	return hw_phys_to_virt(hpa(base)); /* GPA = HPA */
}
