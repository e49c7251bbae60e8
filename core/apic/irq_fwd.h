/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Forwarding of physical interrupts: the physical LAPIC keeps the guest's vectors (rules I1-I8 of
 * docs/design.md). Pure; the physical LAPIC is reached by hw_lapic_*().
 *
 * Context: the VP's own CPU, interrupts disabled.
 */
#pragma once

#include "core/lib/types.h"

struct vp;

struct irq_fwd {
	u32 held[8];         /* level vectors kept in the physical ISR */
	u32 done[8];         /* held vectors whose virtual EOI has happened */
	u32 eoi_count;       /* bits set in held, line_level and watched */
	u32 line_level[8];   /* level vectors from software lines: irq_msg.c */
	u32 watched[8];      /* vectors whose next EOI is told to the modules: irq_msg_watch() */
	u32 soft_count;      /* bits set in line_level and watched */
	u64 posted_level[4]; /* remote: posted, for VP_WORK_LINES */
	u64 posted_watch[4]; /* the same */
	u32 smi_thermal;     /* LVT entry that firmware left in SMI mode, its own; 0: none */
	u32 smi_cmci;        /* the same */
	u32 look_from;       /* lowest vector that needs a closer look: the run timer's may be from
			      * here on; 0 while draining (rule I5), VECTOR_COUNT: none does */
	bool may_hold;       /* a level vector can be held at once; not while draining, and not
			      * while the CPU answers the guest's reads of IRR */
	bool phys_x2apic;    /* mode of the physical LAPIC */
};

/*
 * irq_fwd_take() - irq_fwd_accept() for the exit handler. True: the vector is in the virtual IRR,
 * deliver it at once. False: done; any work is posted.
 */
bool irq_fwd_take(struct vp *vp, u32 vector);

/* irq_fwd_accept() - one acknowledged vector, from an exit or a host interrupt stub (I1-I4). */
void irq_fwd_accept(struct vp *vp, u8 vector);

/* irq_fwd_eoi() - the guest's EOI of @vector reached the virtual APIC (I3). */
void irq_fwd_eoi(struct vp *vp, u8 vector);

/* irq_fwd_set_eoi_exit() - @vector enters the virtual IRR: make its EOI exit while it is held. */
void irq_fwd_set_eoi_exit(struct vp *vp, u8 vector);

/* irq_fwd_set_eoi_exits() - the same for all vectors, when virtual-interrupt delivery begins. */
void irq_fwd_set_eoi_exits(struct vp *vp);

/* irq_fwd_init() - plain edges take the short way from now on. */
void irq_fwd_init(struct vp *vp);

/* irq_fwd_drain() - EOI all held vectors; accept and discard what the physical IRR holds (I5). */
void irq_fwd_drain(struct vp *vp);

/* irq_fwd_reset() - drain, and forget the ExtINT FIFO: INIT and our own start. */
void irq_fwd_reset(struct vp *vp);

/* irq_fwd_note_firmware() - at our start: find the LVT entries that stay firmware's (I7). */
void irq_fwd_note_firmware(struct vp *vp);

/* irq_fwd_mirror() - after a guest write: copy @reg to the physical LAPIC if it is mirrored
 * (I7). */
void irq_fwd_mirror(struct vp *vp, u32 reg);

/* irq_fwd_mirror_all() - all mirrored registers; a globally disabled APIC becomes virtual wire. */
void irq_fwd_mirror_all(struct vp *vp);

/* irq_fwd_set_x2apic() - the guest's APIC is in x2APIC mode now: the physical one follows where it
 * may (core/apic/phys_mode.h); else its logical ID does. */
void irq_fwd_set_x2apic(struct vp *vp);

/**
 * irq_fwd_set_xapic() - back to xAPIC mode, where the machine can: otherwise device interrupts with
 * xAPIC logical destinations would reach nobody. Call it when the guest has disabled and enabled
 * its APIC: this resets the physical one, and irq_fwd_mirror_all() must follow.
 */
void irq_fwd_set_xapic(struct vp *vp);

static inline bool irq_fwd_is_held(const struct irq_fwd *f, u8 vector)
{
	return (f->held[vector >> 5] & (1u << (vector & 31))) != 0;
}

/* irq_fwd_eoi_wanted() - those of 32 vectors whose EOI somebody waits for: a line, real or
 * software, or a module. */
static inline u32 irq_fwd_eoi_wanted(const struct irq_fwd *f, u32 word)
{
	return f->held[word] | f->line_level[word] | f->watched[word];
}

/* irq_fwd_holds_any() - a vector is held: the physical IRR may keep those that its priority blocks.
 */
static inline bool irq_fwd_holds_any(const struct irq_fwd *f)
{
	return f->eoi_count != f->soft_count;
}
