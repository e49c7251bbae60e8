/* SPDX-License-Identifier: BSD-2-Clause */
/* IPIs as the tests of several CPUs send them: words of the ICR, and who got one. */
#pragma once

#include "arch/x86/defs/apic.h"
#include "core/lib/bits.h"

#define LOGICAL   APIC_ICR_LOGICAL
#define ASSERT    APIC_ICR_ASSERT
#define SHORT(s)  ((u32)FIELD_PREP(APIC_ICR_SHORTHAND, s))
#define NMI       ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_NMI) | ASSERT)
#define INIT      ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_INIT) | ASSERT)
#define LOWEST    ((u32)FIELD_PREP(APIC_ICR_MODE, APIC_MODE_LOWEST) | ASSERT)
#define SETTLE_US 100

/* smp_ipi_begin() - smp_begin(), all others in smp_spin() with IF = 1, an LDR of our own. */
bool smp_ipi_begin(void);

/* smp_expect_ipi() - send @low to @dest: every CPU of @mask gets one, nobody else. */
void smp_expect_ipi(const char *what, u32 dest, u32 low, u32 mask);
u32 smp_all_mask(void);

/* smp_logical_of() - the logical destination of the CPUs of @mask, one bit each, in the mode we are
 * in. */
u32 smp_logical_of(u32 mask);
