/* SPDX-License-Identifier: BSD-2-Clause */
/* A firmware setting that hides CPUID leaves. Context: boot, each CPU. */
#pragma once

/*
 * cpuid_lift_limit() - clear IA32_MISC_ENABLE.LIMIT CPUID MAXVAL of this CPU. Set-ups call it
 * "Limit CPUID Maximum", for Windows NT 4; leaves 7 and 0xD would be missing to us and the guest.
 * Linux clears it as well. No effect where the register or the bit is not there.
 */
void cpuid_lift_limit(void);
