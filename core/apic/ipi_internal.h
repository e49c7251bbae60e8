/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Destinations of messages on the APIC bus: of IPIs (vlapic_icr.c) and of interrupt lines
 * (irq_msg.c). Reads ID, LDR, DFR and TPR of other VPs without a lock: the races are those of the
 * real bus. core/apic only.
 *
 * Spec: SDM Vol. 3A, "Determining IPI Destination".
 */
#pragma once

#include "core/apic/vlapic_internal.h"

/* A message on the APIC bus. */
struct ipi {
	u32 dest; /* 32 bits from x2APIC, 8 from xAPIC and lines */
	bool logical;
	bool broadcast;
	u8 mode;
	u8 vector;
};

static inline bool ipi_matches_logical(const struct vlapic *target, u32 dest)
{
	u32 ldr = vlapic_reg(target, APIC_LDR);

	if (vlapic_is_x2apic(target))
		return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff) != 0;
	ldr >>= 24;
	if (FIELD_GET(APIC_DFR_MODEL, vlapic_reg(target, APIC_DFR)) == 0xf)
		return (ldr & dest) != 0; /* flat */
	return ldr >> 4 == dest >> 4 && (ldr & dest & 0xf) != 0;
}

static inline bool ipi_matches(const struct vp *target, const struct ipi *m)
{
	if (!vlapic_is_hw_enabled(&target->apic))
		return false;
	if (m->broadcast)
		return true;
	if (m->logical)
		return ipi_matches_logical(&target->apic, m->dest);
	return target->apic_id == m->dest;
}

/* ipi_pick_lowest() - the VP that takes a lowest-priority message; NULL: none. irq_msg.c */
struct vp *ipi_pick_lowest(struct partition *p, const struct ipi *m, const struct vp *except);
