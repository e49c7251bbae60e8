/* SPDX-License-Identifier: BSD-2-Clause */
/* See vioapic.h. Pure. */
#include "core/dev/vioapic.h"

#include "arch/x86/defs/apic.h"

#define READ_ONLY (IOAPIC_RTE_PENDING | IOAPIC_RTE_REMOTE_IRR)

void vioapic_init(struct vioapic *v, u32 pins)
{
	*v = (struct vioapic){ .pins = umin32(pins, VIOAPIC_PINS_MAX) };
	for (u32 i = 0; i < v->pins; i++)
		v->rte[i] = IOAPIC_RTE_MASKED;
}

bool vioapic_is_level(u64 rte)
{
	u64 mode = FIELD_GET(IOAPIC_RTE_MODE, rte);

	return (rte & IOAPIC_RTE_LEVEL) && (mode == APIC_MODE_FIXED || mode == APIC_MODE_LOWEST);
}

static bool is_asserted(const struct vioapic *v, u32 pin)
{
	return pin < VIOAPIC_LINES && (v->lines & BIT32(pin));
}

/* A level pin sends while its line is asserted, unless its last message awaits EOI (Remote IRR). */
static u32 poll_level(struct vioapic *v, u32 pin)
{
	u64 *rte = &v->rte[pin];

	if (!vioapic_is_level(*rte) || !is_asserted(v, pin) ||
	    (*rte & (IOAPIC_RTE_MASKED | IOAPIC_RTE_REMOTE_IRR)))
		return 0;
	*rte |= IOAPIC_RTE_REMOTE_IRR;
	return BIT32(pin);
}

u32 vioapic_set_line(struct vioapic *v, u32 pin, bool asserted)
{
	bool rises;
	u32 bit;

	if (pin >= VIOAPIC_LINES || pin >= v->pins)
		return 0;
	bit = BIT32(pin);
	rises = asserted && !(v->lines & bit);
	v->lines = asserted ? v->lines | bit : v->lines & ~bit;
	if (vioapic_is_level(v->rte[pin]))
		return poll_level(v, pin);
	return rises && !(v->rte[pin] & IOAPIC_RTE_MASKED) ? bit : 0;
}

u32 vioapic_selected_pin(const struct vioapic *v)
{
	u32 pin = (v->select - IOAPIC_RTE(0)) / 2;

	return v->select >= IOAPIC_RTE(0) && pin < v->pins ? pin : VIOAPIC_PINS_MAX;
}

u32 vioapic_write_window(struct vioapic *v, u32 val)
{
	u32 pin = vioapic_selected_pin(v);
	u64 *rte;

	if (v->select == IOAPIC_ID)
		v->id = val & IOAPIC_ID_ID;
	if (pin == VIOAPIC_PINS_MAX)
		return 0; /* read-only, or not there */
	rte = &v->rte[pin];
	if (v->select & 1) {
		*rte = (u32)*rte | (u64)val << 32;
		return 0;
	}
	*rte = (*rte & (GENMASK64(63, 32) | READ_ONLY)) | (val & ~(u32)READ_ONLY);
	/* An edge entry has no Remote IRR. Operating systems use that to clear a stuck one. */
	if (!vioapic_is_level(*rte))
		*rte &= ~IOAPIC_RTE_REMOTE_IRR;
	return poll_level(v, pin);
}

u32 vioapic_eoi(struct vioapic *v, u8 vector)
{
	u32 fire = 0;

	for (u32 pin = 0; pin < umin32(v->pins, VIOAPIC_LINES); pin++) {
		u64 *rte = &v->rte[pin];

		if (!(*rte & IOAPIC_RTE_REMOTE_IRR) || FIELD_GET(IOAPIC_RTE_VECTOR, *rte) != vector)
			continue;
		*rte &= ~IOAPIC_RTE_REMOTE_IRR;
		fire |= poll_level(v, pin);
	}
	return fire;
}

u32 vioapic_read_window(const struct vioapic *v)
{
	u32 pin = vioapic_selected_pin(v);

	if (pin != VIOAPIC_PINS_MAX)
		return (u32)(v->rte[pin] >> (v->select & 1 ? 32 : 0));
	switch (v->select) {
	case IOAPIC_ID:
	case IOAPIC_ARBITRATION:
		return v->id;
	case IOAPIC_VERSION:
		return IOAPIC_VERSION_EOI | (u32)FIELD_PREP(IOAPIC_VERSION_MAX_PIN, v->pins - 1);
	default: /* a number from the guest */
		return 0;
	}
}
