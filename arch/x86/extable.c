/* SPDX-License-Identifier: BSD-2-Clause */
/* Exception table look-up. A handful of entries: a linear search will do. */
#include "arch/x86/extable.h"

struct extable_entry {
	s32 insn; /* both relative to their own address */
	s32 fixup;
};

extern const struct extable_entry extable_start[], extable_end[]; /* linker.ld */

u64 extable_fixup(u64 rip)
{
	for (const struct extable_entry *e = extable_start; e != extable_end; e++) {
		if ((u64)&e->insn + (u64)(s64)e->insn == rip)
			return (u64)&e->fixup + (u64)(s64)e->fixup;
	}
	return 0;
}
