/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages of interrupt lines that exist in software only (core/dev/lines.h) to virtual local
 * APICs, and what those answer. Pure.
 */
#pragma once

#include "core/lib/types.h"

struct vp;

struct irq_msg {
	u8 vector, mode, dest; /* APIC_MODE_*; 8-bit destination in every APIC mode */
	bool logical, level;
};

/* Who stands behind the lines; partition.lines, NULL where there are none. VP's CPU. */
struct irq_lines {
	void (*eoi)(struct vp *vp, u8 vector); /* an APIC broadcasts the EOI of a level vector */
	void (*intr)(struct vp *vp); /* the INTR input of @vp may be open: deliver ExtINT vectors */
};

/* irq_msg_send() - to every VP that it is for. @self: the VP of the calling CPU. */
void irq_msg_send(struct vp *self, const struct irq_msg *m);

/* irq_msg_work() - VP_WORK_LINES: take over the level messages that other CPUs posted, then let the
 * lines deliver. */
void irq_msg_work(struct vp *vp);

/* irq_msg_eoi() - the guest's EOI of @vector; its bit in the virtual ISR is clear already. */
void irq_msg_eoi(struct vp *vp, u8 vector);

/* irq_msg_forget() - the virtual ISR and IRR start anew: no EOI will come. */
void irq_msg_forget(struct vp *vp);
