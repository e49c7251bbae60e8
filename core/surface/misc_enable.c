/* SPDX-License-Identifier: BSD-2-Clause */
/* IA32_MISC_ENABLE: what a write changes in CPUID and in the VP's controls. Context: VP's CPU. */
#include "core/surface/misc_enable.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/surface/cpuid.h"

/*
 * No PMU, BTS, PEBS or EIST. MONITOR as in CPUID. Fast strings as on the machine: Linux chooses its
 * memory copies by that bit.
 */
static u64 reset_value(const struct vp *vp)
{
	u64 host = MISC_ENABLE_FAST_STRINGS;

	/* No such MSR: fast strings count as on. */
	(void)(hw_rdmsr_safe(MSR_IA32_MISC_ENABLE, &host) != ERR_NONE);
	return (host & MISC_ENABLE_FAST_STRINGS) | MISC_ENABLE_BTS_UNAVAILABLE |
	       MISC_ENABLE_PEBS_UNAVAILABLE |
	       (vp->partition->config.mwait == MWAIT_C1 ? MISC_ENABLE_MONITOR_FSM : 0);
}

enum msr_result misc_enable_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = reset_value(vp) ^ vp->misc_enable_flips;
	return MSR_OK;
}

/*
 * SDM: with ENABLE MONITOR FSM clear MONITOR and MWAIT are #UD. Only mwait=c1 lets the guest
 * execute them at all.
 */
static void set_monitor(struct vp *vp, bool off)
{
	const u32 exiting = PROC_MONITOR_EXITING | PROC_MWAIT_EXITING;
	u64 cap;

	if (vp->partition->config.mwait != MWAIT_C1 ||
	    hw_rdmsr_safe(MSR_IA32_VMX_PROCBASED_CTLS, &cap) != ERR_NONE)
		return;
	ctx_set_bits(vp->ctx, CTX_PROC, exiting & (u32)(cap >> 32), off);
}

static void set_flips(struct vp *vp, u64 flips)
{
	u64 changed = vp->misc_enable_flips ^ flips;

	WRITE_ONCE(vp->misc_enable_flips, flips);
	if (changed & MISC_ENABLE_LIMIT_CPUID)
		cpuid_limit_changed(vp->partition);
	if (changed & MISC_ENABLE_MONITOR_FSM)
		set_monitor(vp, (flips & MISC_ENABLE_MONITOR_FSM) != 0);
	/* Else writes of EFER do not exit: the CPU would take NXE, which CPUID no longer shows. */
	if (changed & MISC_ENABLE_XD_DISABLE)
		msr_bitmap_intercept(vp->ctx->msr_bitmap, MSR_IA32_EFER, false,
				     (flips & MISC_ENABLE_XD_DISABLE) != 0);
}

/*
 * SDM: setting LIMIT CPUID MAXVAL where the maximum is not above 2, or XD BIT DISABLE on a CPU
 * without NX, "may generate a #GP exception".
 *
 * SPEC-GAP: bits that CPUID does not announce, EIST and (mwait=hide) ENABLE MONITOR FSM, are kept
 * and have no effect, as in KVM: guests set them without a look at CPUID.
 */
static bool is_backed(const struct partition *p, u64 val)
{
	if ((val & MISC_ENABLE_LIMIT_CPUID) &&
	    cpuid_base(p, CPUID_LEAF_VENDOR, 0).a <= CPUID_LIMIT_MAX)
		return false;
	return (val & MISC_ENABLE_XD_DISABLE) == 0 ||
	       (cpuid_base(p, CPUID_LEAF_EXT_SIGNATURE, 0).d & CPUID80000001_EDX_NX);
}

enum msr_result misc_enable_write(struct vp *vp, u32 msr, u64 val)
{
	if (!is_backed(vp->partition, val))
		return MSR_GP;
	set_flips(vp, (val ^ reset_value(vp)) & MISC_ENABLE_WRITABLE);
	return MSR_OK;
}

void misc_enable_reset(struct vp *vp)
{
	set_flips(vp, 0);
}
