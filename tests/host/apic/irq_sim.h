/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One VP in front of the model of the physical hardware, for the tests of core/apic/irq_fwd.c: what
 * is in its virtual APIC, and what is held for it.
 */
#pragma once

#include "tests/host/harness.h"

#include "tests/host/fakes/fake.h"
#include "tests/host/models/apic_model.h"
#include "tests/host/models/apic_vp.h"

#define VP (&at.vp[0])

static inline bool virtual_irr(u32 vector)
{
	return (vlapic_reg(&VP->apic, APIC_IRR + vector / 32 * 16) >> (vector % 32)) & 1;
}

static inline bool any(const u32 *bitmap)
{
	return model_highest(bitmap) >= 0;
}

static inline bool any_held(void)
{
	const struct irq_fwd *f = &VP->fwd;

	return any(f->held);
}
