/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Software lines: interrupt lines for devices that exist in software only. Such a device sets the
 * level of its line (0-23, numbered as on a PC); the guest sees it at its I/O APIC and 8259s,
 * beside the lines of the machine's devices. lines.c says how both are merged.
 *
 * Without lines_add() none of this exists: I/O APIC and 8259s are passed through.
 */
#pragma once

#include "core/apic/irq_msg.h"
#include "core/dev/vioapic.h"
#include "core/dev/vpic.h"
#include "core/lib/err.h"
#include "core/lib/lock.h"
#include "core/lib/types.h"

struct partition;
struct vp;

struct lines {
	struct irq_lines hooks; /* first: partition.lines points here */
	struct spinlock lock;   /* LOCK: all fields below; a leaf but for vp_post_work() */
	u32 asserted;           /* bit n: the device asserts line n */
	struct vioapic ioapic;
	u32 phys_pins; /* of the machine's I/O APIC at FEC00000, 0: there is none */
	bool phys_eoi; /* it has an EOI register */
	struct vpic pic;
};

/**
 * lines_add() - give @p software lines: the page of the I/O APIC becomes emulated, the ports of the
 * 8259s owned. Boot, before the I/O bitmap and the EPT are built. ERR_NOMEM; ERR_BUSY: somebody
 * owns the page or a port already.
 */
MUST_CHECK err_t lines_add(struct partition *p);

/* lines_set() - the level of line @line, 0 to 23. @vp: the VP of the calling CPU, in root. */
void lines_set(struct vp *vp, u32 line, bool asserted);

/* lines_of() - the lines of @p, which has some. */
struct lines *lines_of(const struct partition *p);
