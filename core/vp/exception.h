/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who intercepts which exception of the guest. Each owner asks for vectors, and a VP's exception
 * bitmap is their union. An exit is offered to the owners in the order of enum exc_owner; an
 * exception that none takes goes to the guest. Context: VP's CPU.
 */
#pragma once

#include "core/lib/types.h"

struct exit_info;
struct vp;

enum exc_owner {
	EXC_OWNER_STEP,          /* core/vp/step.c, while it steps */
	EXC_OWNER_DELIVERY_LOOP, /* rule M3: intercepts #DB and #AC, takes neither */
	EXC_OWNER_COUNT
};

/* exc_want() - set the exceptions (bit = vector) that exit for @owner on @vp, replacing its former
 * set. Never bit 2: NMIs are not exceptions. */
void exc_want(struct vp *vp, enum exc_owner owner, u32 vectors);

/* exc_bitmap() - the exception bitmap of @vp. */
u32 exc_bitmap(const struct vp *vp);

/* exc_offer() - offer an exception exit to the owners; true: one took it. An owner of only part of
 * a #DB clears its bits in @x->qual: the rest is the guest's. */
bool exc_offer(struct vp *vp, struct exit_info *x);
