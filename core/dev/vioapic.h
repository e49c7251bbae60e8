/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * State machine of an I/O APIC: turns redirection entries and input lines into messages. The
 * functions only return which pins must send their message; lines.c sends it. Pure; the caller
 * holds a lock.
 *
 * Spec: Intel 82093AA data sheet, with the EOI register of version 0x20. As in QEMU the polarity
 * bit has no effect (lines are asserted or not), and an edge on a masked pin is lost.
 */
#pragma once

#include "arch/x86/defs/ioapic.h"
#include "core/lib/types.h"

#define VIOAPIC_PINS_MAX 240u
#define VIOAPIC_LINES    24u /* pins with a software line */

struct vioapic {
	u32 pins;
	u32 select;
	u32 id;    /* register: bits 27:24 */
	u32 lines; /* bit n: the input of pin n is asserted */
	u64 rte[VIOAPIC_PINS_MAX];
};

/* vioapic_init() - power-on: every entry masked. */
void vioapic_init(struct vioapic *v, u32 pins);

/*
 * The following return the pins that must now send the message of their entry, once; bit n: pin n.
 */
MUST_CHECK u32 vioapic_set_line(struct vioapic *v, u32 pin, bool asserted);

/* vioapic_write_window() - a write to the register that v->select names. */
MUST_CHECK u32 vioapic_write_window(struct vioapic *v, u32 val);

/* vioapic_eoi() - the EOI of @vector: a local APIC's broadcast, or the EOI register. */
MUST_CHECK u32 vioapic_eoi(struct vioapic *v, u8 vector);

/* vioapic_read_window() - the register that v->select names. */
u32 vioapic_read_window(const struct vioapic *v);

/* vioapic_selected_pin() - the pin whose entry v->select names; VIOAPIC_PINS_MAX: none. */
u32 vioapic_selected_pin(const struct vioapic *v);

/* vioapic_is_level() - the entry's messages need an EOI: level-triggered, in a delivery mode
 * that honours it. */
bool vioapic_is_level(u64 rte);
