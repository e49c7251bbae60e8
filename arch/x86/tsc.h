/* SPDX-License-Identifier: BSD-2-Clause */
/* This CPU's TSC: what CPUID says (rule T3), and moving it. Context: boot. */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"

/* tsc_cpuid_hz() - by CPUID 0x15, or else 0x16; 0: unknown. */
u64 tsc_cpuid_hz(void);

/* tsc_adjust_read() - IA32_TSC_ADJUST: what was added to the TSC since power-on. ERR_NODEV: this
 * CPU has none. */
MUST_CHECK err_t tsc_adjust_read(u64 *adjust);

/**
 * tsc_move() - add @delta_tsc (two's complement) to the TSC of this CPU. Exact where it has
 * IA32_TSC_ADJUST; elsewhere the ticks between a reading and the writing are lost. ERR_FAULT: an
 * outer hypervisor allows neither.
 * Spec: SDM Vol. 3B "Time-Stamp Counter Adjustment".
 */
MUST_CHECK err_t tsc_move(u64 delta_tsc);
