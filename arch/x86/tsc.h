/* SPDX-License-Identifier: BSD-2-Clause */
/* What the CPU says about its TSC (rule T3). Context: boot. */
#pragma once

#include "core/lib/types.h"

/* tsc_cpuid_hz() - by CPUID 0x15, or else 0x16; 0: unknown. */
u64 tsc_cpuid_hz(void);
