/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IA32_MISC_ENABLE: kept per VP, INIT does not change it. Some of its bits hide a feature from
 * CPUID.
 *
 * Spec: SDM Vol. 4 "Architectural MSRs", IA32_MISC_ENABLE.
 */
#pragma once

#include "core/surface/msr.h"
#include "core/vp/vp.h"

/* Bits that software changes. Of these only MONITOR_FSM, LIMIT_CPUID and XD_DISABLE have an effect;
 * the machine keeps control of thermals, frequency, xTPR messages and turbo. */
#define MISC_ENABLE_WRITABLE                                                            \
	(MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_TCC | MISC_ENABLE_ENHANCED_SPEEDSTEP |  \
	 MISC_ENABLE_MONITOR_FSM | MISC_ENABLE_LIMIT_CPUID | MISC_ENABLE_XTPR_DISABLE | \
	 MISC_ENABLE_XD_DISABLE | MISC_ENABLE_TURBO_DISABLE)
/* Bits that software only reads: a write leaves them alone. */
#define MISC_ENABLE_READ_ONLY \
	(MISC_ENABLE_PERFMON_AVAILABLE | MISC_ENABLE_BTS_UNAVAILABLE | MISC_ENABLE_PEBS_UNAVAILABLE)
#define MISC_ENABLE_RSVDZ ~(MISC_ENABLE_WRITABLE | MISC_ENABLE_READ_ONLY)

/* The functions of its row. */
enum msr_result misc_enable_read(struct vp *vp, u32 msr, u64 *val);
enum msr_result misc_enable_write(struct vp *vp, u32 msr, u64 val);

/* misc_enable_reset() - power-on, not INIT. On the VP's own CPU. */
void misc_enable_reset(struct vp *vp);

/* misc_enable_differs() - one of @bits is not as a reset leaves it. */
static inline bool misc_enable_differs(const struct vp *vp, u64 bits)
{
	return (READ_ONCE(vp->misc_enable_flips) & bits) != 0;
}
