/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages from software interrupt lines (core/dev/lines.h) to virtual local APICs, their EOIs, and
 * others' that a module waits for. Pure.
 */
#pragma once

#include "core/lib/types.h"

struct vp;

struct irq_msg {
	u8 vector, mode, dest; /* APIC_MODE_*; 8-bit destination in every APIC mode */
	bool logical, level;
};

/* The device side of the lines: partition.lines, NULL if there are none. VP's CPU. */
struct irq_lines {
	void (*eoi)(struct vp *vp, u8 vector); /* an APIC broadcasts the EOI of a level vector */
	void (*intr)(struct vp *vp); /* the INTR input of @vp may be open: deliver ExtINT vectors */
};

/* irq_msg_send() - deliver @m to its destination VPs. @self: the VP of the calling CPU. */
void irq_msg_send(struct vp *self, const struct irq_msg *m);

/* irq_msg_work() - VP_WORK_LINES: take over what other CPUs posted, then call irq_lines.intr. */
void irq_msg_work(struct vp *vp);

/* irq_msg_eoi() - the guest's EOI of @vector; its bit in the virtual ISR is clear already. */
void irq_msg_eoi(struct vp *vp, u8 vector);

/* irq_msg_forget() - the virtual ISR and IRR were cleared: no line waits for an EOI. Watches stay:
 * who wants none any more ends them. */
void irq_msg_forget(struct vp *vp);

/**
 * irq_msg_watch() - the next EOI of @vector by @vp calls partition_hooks.eoi, once; so does a call
 * from another CPU when @vp hears of it, as an EOI may have come before. Any CPU.
 */
void irq_msg_watch(struct vp *vp, u8 vector);

/* irq_msg_unwatch() - no EOI calls it any more. VP's CPU. */
void irq_msg_unwatch(struct vp *vp);
