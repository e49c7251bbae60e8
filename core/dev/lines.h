/* SPDX-License-Identifier: BSD-2-Clause */
/* Interrupt lines in software and the virtual I/O APIC that merges with the machine's: see lines.c.
 * The caller holds the lock of struct testdev. */
#pragma once

#include "core/dev/vioapic.h"
#include "core/lib/types.h"

struct vp;

struct lines {
	u32 asserted; /* bit n: line n as the guest wrote it */
	struct vioapic ioapic;
	u32 phys_pins; /* of the machine's I/O APIC at FEC00000, 0: there is none */
	bool phys_eoi; /* it has an EOI register */
};

/* lines_init() - entries as the machine's I/O APIC has them. */
void lines_init(struct lines *l);

/* lines_set() - the level of line @line (0-23). */
void lines_set(struct vp *vp, struct lines *l, u32 line, bool asserted);

/* lines_eoi() - a virtual local APIC broadcasts the EOI of a level vector. */
void lines_eoi(struct vp *vp, struct lines *l, u8 vector);

/* The page at FEC00000; @offset in it. */
u64 lines_page_read(const struct lines *l, u32 offset, u32 size);
void lines_page_write(struct vp *vp, struct lines *l, u32 offset, u32 size, u32 val);
