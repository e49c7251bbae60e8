/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who wants which exception of the guest. Each owner asks for vectors; the exception bitmap of a VP
 * is all that its owners want. At the exit they are asked in the order of enum exc_owner, and what
 * nobody takes is the guest's. Context: VP's CPU.
 */
#pragma once

#include "core/lib/types.h"

struct exit_info;
struct vp;

enum exc_owner {
	EXC_OWNER_STEP,          /* core/vp/step.c, while it steps */
	EXC_OWNER_DELIVERY_LOOP, /* rule M3: #DB and #AC, always; takes none of them */
	EXC_OWNER_COUNT
};

/* exc_want() - @owner wants exits for the exceptions of @vectors (bit = vector) on @vp, and for no
 * others from now on. Not 2: NMIs are not exceptions. */
void exc_want(struct vp *vp, enum exc_owner owner, u32 vectors);

/* exc_bitmap() - the vectors of @vp that exit. */
u32 exc_bitmap(const struct vp *vp);

/* exc_offer() - an exception of @vp exited: true when an owner took it. @x: its interruption
 * information and qualification; an owner that takes a part of a #DB takes it out of the latter. */
bool exc_offer(struct vp *vp, struct exit_info *x);
