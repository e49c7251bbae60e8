/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Model of the physical interrupt hardware of one CPU: local APIC (IRR, ISR, TMR, priorities, EOI
 * broadcast, SVR), I/O APIC (level lines, Remote IRR, masks, directed EOI) and 8259 (ExtINT).
 * Linking it replaces the inert hw_lapic_*() of fakes/hw.c. It judges as well: a physical EOI that
 * retires what it must not ends the test.
 */
#pragma once

#include "core/lib/types.h"

struct vp;

#define MODEL_PINS     16
#define MODEL_PIC_IRQS 8

/* On the bus between I/O APIC, devices and local APICs. */
struct model_message {
	u8 dest, mode, vector;
	bool logical, level;
};

struct model_pin {
	u8 vector;
	u8 dest, mode; /* with a bus only */
	bool logical;
	bool level;
	bool masked;
	bool remote_irr;
	bool line; /* asserted now */
};

struct apic_model {
	struct vp *vp; /* receives what hw_irq_window() lets in */

	/* local APIC */
	u32 irr[8], isr[8], tmr[8];
	u32 reg[0x40]; /* the other registers, by offset >> 4 */
	bool x2apic;
	bool x2apic_locked; /* by the firmware */
	bool window;        /* inside hw_irq_window() */
	bool pin_mode;      /* LINT0 delivers although masked (Bochs) */

	/* its timer; runs by fake.tsc, as model_timer() is called */
	u64 timer_start_tsc;    /* TMICT was written; 0: it stands */
	u64 timer_early_tsc;    /* an outer hypervisor fires so much too early */
	u32 timer_tsc_per_tick; /* one-shot */
	bool timer_keeps_msr;   /* IA32_TSC_DEADLINE keeps its value (Bochs) */
	u64 timer_fired_tsc;    /* then that value has fired already */
	u32 timer_irqs;

	/* I/O APIC, 8259 */
	struct model_pin pin[MODEL_PINS];
	u8 pic_base, pic_irr, pic_isr;

	/* What the model checks and counts. */
	bool guest_done[256]; /* the guest's EOI of this level vector has happened */
	s32 unfinished_edge;  /* acknowledged edge vector without its EOI yet; -1: none */
	bool draining;        /* any EOI is allowed */
	u32 eois, acks, drained;
	u32 tokens[256]; /* pending deliveries: one per bit in the physical or virtual IRR */
	void (*before_accept)(u8 vector, bool extint); /* sees each acknowledge */
	bool (*bus)(const struct model_message *m); /* to several CPUs: apic_bus.c; NULL: to this */
	u32 writes[0x40];
};

extern struct apic_model irqhw;

void apic_model_reset(struct vp *vp); /* power-on: SVR disabled, everything masked */
void apic_model_enable(void);         /* as firmware leaves it: SVR 0x1ff, LINT0 ExtINT */

static inline bool model_bit(const u32 *bitmap, u32 vector)
{
	return (bitmap[vector >> 5] >> (vector & 31)) & 1;
}

s32 model_highest(const u32 *bitmap);

/* Sources. model_msi() returns false when the local APIC does not take it. */
bool model_msi(u8 vector);
bool model_msi_level(u8 vector); /* trigger mode level, assert: no I/O APIC entry belongs to it */
bool model_accept(struct apic_model *cpu, u8 vector, bool level);
void model_line(u32 pin, bool asserted);
void model_rte(u32 pin, u8 vector, bool level, bool masked);
void model_ioapic_eoi(u8 vector); /* directed EOI, and what a broadcast does */
void model_pic_irq(u32 irq);
void model_pic_eoi(void);

/* model_timer() - bring the local APIC's timer up to fake.tsc. */
void model_timer(void);

/* The CPU's side: is INTR up; acknowledge. @pic_first decides ties. */
bool model_intr(void);
u8 model_ack(bool pic_first);

/* model_exit() - one external-interrupt exit, or nothing when INTR is down. */
bool model_exit(bool pic_first);
