/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Software lines and the I/O APIC page behind them.
 *
 * The machine's I/O APIC has no input that software can raise, so the page at FEC00000 becomes
 * virtual: every access exits. Behind it two I/O APICs with equal entries work side by side, as if
 * each pin were the wired OR of two lines:
 *
 * 	software line n -> virtual I/O APIC (vioapic.c) -> virtual local APICs (irq_msg.c)
 * 	device on pin n -> machine's I/O APIC -> physical local APIC -> forwarding (irq_fwd.c)
 *
 *  - A write to an entry or to the ID goes to both. The machine's keeps the guest's polarity; for
 *    software lines polarity has no effect.
 *  - A read of an entry shows what was written; Remote IRR and delivery status are the OR of both.
 *  - The EOI of a level vector ends the virtual half here, and the physical half in irq_fwd_eoi(),
 *    where the physical local APIC broadcasts it. Each half looks at its own line and sends again.
 *    Both in service at once are one bit in the virtual IRR and ISR, as with any shared vector.
 *  - The page always has the EOI register of version 0x20. If the machine's I/O APIC is older we
 *    emulate it there: switching an entry to edge and back clears its Remote IRR.
 *  - There are at least 24 pins, or as many as the machine has. Entries start as on the machine.
 *
 * Lines 0-15 are ISA IRQs on a PC: IRQ 0 is pin 2 of the I/O APIC, the others are pins 1:1, and all
 * but 2 are inputs of the 8259s as well (pic.c).
 *
 * Context: VP's CPU; any CPU for the state, under its lock.
 */
#include "core/dev/lines.h"

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/paging.h"
#include "core/dev/pic.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/page_alloc.h"
#include "core/partition.h"
#include "core/vp/vp.h"

#define IRQ0_PIN 2u

#define STATUS_BITS (u32)(IOAPIC_RTE_REMOTE_IRR | IOAPIC_RTE_PENDING)

static u32 phys_read(u32 reg)
{
	hw_ioapic_write(IOAPIC_SELECT, reg);
	return hw_ioapic_read(IOAPIC_WINDOW);
}

static void phys_write(u32 reg, u32 val)
{
	hw_ioapic_write(IOAPIC_SELECT, reg);
	hw_ioapic_write(IOAPIC_WINDOW, val);
}

struct lines *lines_of(const struct partition *p)
{
	static_assert(offsetof(struct lines, hooks) == 0, "one address");
	return (struct lines *)(void *)p->lines;
}

/* Start with the entries of the machine's I/O APIC. */
static void ioapic_init(struct lines *l)
{
	u32 version = phys_read(IOAPIC_VERSION);
	u32 pins = (u32)FIELD_GET(IOAPIC_VERSION_MAX_PIN, version) + 1;

	if (version == ~0u || version == 0) /* nothing answers */
		pins = 0;
	l->phys_pins = umin32(pins, VIOAPIC_PINS_MAX);
	l->phys_eoi = FIELD_GET(IOAPIC_VERSION_VERSION, version) >= IOAPIC_VERSION_EOI;
	vioapic_init(&l->ioapic, umax32(l->phys_pins, VIOAPIC_LINES));
	for (u32 i = 0; i < l->phys_pins; i++) {
		u64 high = phys_read(IOAPIC_RTE(i) + 1);

		l->ioapic.rte[i] = high << 32 | (phys_read(IOAPIC_RTE(i)) & ~STATUS_BITS);
	}
	if (l->phys_pins != 0)
		l->ioapic.id = phys_read(IOAPIC_ID) & IOAPIC_ID_ID;
}

/* Send the messages of the pins in @fire. */
static void line_send(struct vp *vp, const struct lines *l, u32 fire)
{
	for (; fire != 0; fire &= fire - 1) {
		u64 rte = l->ioapic.rte[__builtin_ctz(fire)];
		struct irq_msg m = {
			.vector = (u8)rte,
			.mode = (u8)FIELD_GET(IOAPIC_RTE_MODE, rte),
			.dest = (u8)FIELD_GET(IOAPIC_RTE_DEST, rte),
			.logical = (rte & IOAPIC_RTE_LOGICAL) != 0,
			.level = vioapic_is_level(rte),
		};

		irq_msg_send(vp, &m);
	}
}

void lines_set(struct vp *vp, u32 line, bool asserted)
{
	struct lines *l = lines_of(vp->partition);
	u32 pin = line == 0 ? IRQ0_PIN : line;
	u32 inputs = BIT32(pin) | (pin == IRQ0_PIN ? BIT32(0) : 0);

	spin_lock(&l->lock);
	l->asserted = asserted ? l->asserted | BIT32(line) : l->asserted & ~BIT32(line);
	line_send(vp, l, vioapic_set_line(&l->ioapic, pin, (l->asserted & inputs) != 0));
	pic_set_line(vp, &l->pic, line, asserted);
	spin_unlock(&l->lock);
}

static void lines_eoi(struct vp *vp, u8 vector)
{
	struct lines *l = lines_of(vp->partition);

	spin_lock(&l->lock);
	line_send(vp, l, vioapic_eoi(&l->ioapic, vector));
	spin_unlock(&l->lock);
}

/* --- the page --- */

static u32 window_read(const struct lines *l)
{
	const struct vioapic *v = &l->ioapic;
	u32 val = vioapic_read_window(v);

	if (vioapic_selected_pin(v) < l->phys_pins && !(v->select & 1))
		val |= phys_read(v->select) & STATUS_BITS;
	return val;
}

static void window_write(struct vp *vp, struct lines *l, u32 val)
{
	struct vioapic *v = &l->ioapic;

	if (vioapic_selected_pin(v) < l->phys_pins || (v->select == IOAPIC_ID && l->phys_pins != 0))
		phys_write(v->select, val);
	line_send(vp, l, vioapic_write_window(v, val));
}

static void phys_directed_eoi(const struct lines *l, u8 vector)
{
	if (l->phys_eoi) {
		hw_ioapic_write(IOAPIC_EOI, vector);
		return;
	}
	for (u32 i = 0; i < l->phys_pins; i++) {
		u64 rte = l->ioapic.rte[i];
		u32 low;

		if (!vioapic_is_level(rte) || (u8)rte != vector)
			continue;
		low = phys_read(IOAPIC_RTE(i)) & ~STATUS_BITS;
		phys_write(IOAPIC_RTE(i), (low & ~(u32)IOAPIC_RTE_LEVEL) | IOAPIC_RTE_MASKED);
		phys_write(IOAPIC_RTE(i), low);
	}
}

static u64 page_read(struct vp *vp, u64 at, u32 size)
{
	struct lines *l = lines_of(vp->partition);
	u32 offset = (u32)(at - IOAPIC_ADDR);
	u64 val = 0;

	spin_lock(&l->lock);
	if ((offset & 0xfc) == IOAPIC_SELECT)
		val = l->ioapic.select;
	else if ((offset & 0xfc) == IOAPIC_WINDOW)
		val = window_read(l);
	spin_unlock(&l->lock);
	val >>= 8 * (offset & 3);
	return size >= 8 ? val : val & (BIT64(8 * size) - 1);
}

/* The index register accepts bytes; the others only 32 bits. */
static void register_write(struct vp *vp, struct lines *l, u32 reg, u32 size, u32 val)
{
	if (reg == IOAPIC_SELECT) {
		l->ioapic.select = val & 0xff;
	} else if (size < 4) {
		return;
	} else if (reg == IOAPIC_WINDOW) {
		window_write(vp, l, val);
	} else if (reg == IOAPIC_EOI) {
		phys_directed_eoi(l, (u8)val);
		line_send(vp, l, vioapic_eoi(&l->ioapic, (u8)val));
	}
}

static void page_write(struct vp *vp, u64 at, u32 size, u64 val)
{
	struct lines *l = lines_of(vp->partition);

	spin_lock(&l->lock);
	register_write(vp, l, (u32)(at - IOAPIC_ADDR) & 0xff, size, (u32)val);
	spin_unlock(&l->lock);
}

err_t lines_add(struct partition *p)
{
	static const struct emul_mem page = { page_read, page_write };
	static const struct page_range range = {
		.base = IOAPIC_ADDR,
		.end = IOAPIC_ADDR + PAGE_SIZE,
		.kind = PAGE_EMULATED,
		.mem = &page,
	};
	struct lines *l = page_alloc();

	static_assert(sizeof(*l) <= PAGE_SIZE, "page_alloc() makes one");
	if (l == NULL)
		return ERR_NOMEM;
	l->hooks = (struct irq_lines){ .eoi = lines_eoi, .intr = pic_deliver };
	ioapic_init(l);
	pic_init(&l->pic);
	TRY(pic_add(&p->pio));
	TRY(range_add(p, &range));
	p->lines = &l->hooks;
	return ERR_NONE;
}
