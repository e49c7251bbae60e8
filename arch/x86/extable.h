/* SPDX-License-Identifier: BSD-2-Clause */
/* Exception table: instructions that may fault, and where to resume. Entries: EXTABLE in insn.h. */
#pragma once

#include "core/lib/types.h"

/* extable_fixup() - address to resume at after a fault at @rip; 0: the fault is a bug. */
u64 extable_fixup(u64 rip);
