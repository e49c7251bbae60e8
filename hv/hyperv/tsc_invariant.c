/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The guest asks to see that the TSC is invariant: until then CPUID hides it. Context: VP's own
 * CPU.
 *
 * Spec: TLFS "Partition Privilege Flags", AccessTscInvariantControls; KVM's
 * HV_X64_MSR_TSC_INVARIANT_CONTROL.
 */
#include "core/hw.h"
#include "hv/hyperv/hyperv_internal.h"

static bool is_available(const struct partition *p)
{
	struct cpuid_regs max, power;

	hw_cpuid(CPUID_LEAF_EXT_MAX, 0, &max);
	hw_cpuid(CPUID_LEAF_EXT_POWER, 0, &power);
	return max.a >= CPUID_LEAF_EXT_POWER && (power.d & CPUID80000007_EDX_INVARIANT_TSC) != 0;
}

static enum msr_result control_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(vp->partition->tsc_invariance_hidden) ? 0 : HV_TSC_INVARIANT_ENABLED;
	return MSR_OK;
}

/* Once set, it stays. */
static enum msr_result control_write(struct vp *vp, u32 msr, u64 val)
{
	bool *hidden = &vp->partition->tsc_invariance_hidden;

	if (val == 0)
		return READ_ONCE(*hidden) ? MSR_OK : MSR_GP;
	WRITE_ONCE(*hidden, false);
	return MSR_OK;
}

static void control_reset(struct vp *vp, bool init)
{
	if (!init && vp->index == 0)
		vp->partition->tsc_invariance_hidden = true;
}

static const struct msr_row msrs[] = {
	/* Manual: 0, once it is 1 | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_TSC_INVARIANT_CONTROL, "HV_X64_MSR_TSC_INVARIANT_CONTROL"),
	  .rsvdz = ~HV_TSC_INVARIANT_ENABLED, .read = control_read, .write = control_write },
};

/* Manual: CPUID shows an invariant TSC (80000007H EDX.8) once the guest has set bit 0 of the MSR.
 * Not offered where the machine's TSC is not */
const struct hv_feature hv_tsc_invariant_feature = {
	.name = "hv-tsc-invariant",
	.help = "the guest asks for the invariant TSC's bit",
	.abi = &hyperv_abi,
	.profiles = IN_NO_PROFILE, /* Linux then uses the TSC, and a KVM guest never asks */
	.is_available = is_available,
	.bits = { HV_PRIVILEGES(.a = HV_ACCESS_TSC_INVARIANT) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = control_reset,
};
