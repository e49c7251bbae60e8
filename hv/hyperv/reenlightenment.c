/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a guest that runs guests itself hears that the TSC counts at another rate, and keeps the old
 * rate until it is ready: core/vp/tsc_change.h. Partitions do not move here, so that only
 * test_fault=tsc_frequency makes it happen. Context: VP's own CPU.
 *
 * Spec: TLFS "Reenlightenment"; KVM's MSRs of the same names.
 */
#include "core/vp/tsc_change.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv_internal.h"

/* One for the partition: as written. */
static u64 control, emulation_control;

static u64 *register_of(u32 msr)
{
	return msr == HV_X64_MSR_REENLIGHTENMENT_CONTROL ? &control : &emulation_control;
}

static enum msr_result control_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(*register_of(msr));
	return MSR_OK;
}

static enum msr_result control_write(struct vp *vp, u32 msr, u64 val)
{
	WRITE_ONCE(*register_of(msr), val);
	return MSR_OK;
}

static void control_reset(struct vp *vp, bool init)
{
	if (!init && vp->index == 0)
		control = emulation_control = 0;
}

static enum msr_result status_read(struct vp *vp, u32 msr, u64 *val)
{
	*val = READ_ONCE(vp->partition->tsc_emul.on) ? HV_TSC_EMULATION_IN_PROGRESS : 0;
	return MSR_OK;
}

static enum msr_result status_write(struct vp *vp, u32 msr, u64 val)
{
	tsc_emulation_end(vp->partition);
	return MSR_OK;
}

void hv_tsc_frequency(struct partition *p, u64 hz)
{
	u64 target = READ_ONCE(control);
	struct vp *vp = partition_vp(p, (u32)FIELD_GET(HV_REENLIGHTENMENT_TARGET_VP, target));

	tsc_frequency_change(p, hz, (emulation_control & HV_TSC_EMULATION_ENABLED) != 0);
	if ((target & HV_REENLIGHTENMENT_ENABLED) && vp != NULL)
		vlapic_post_irq(vp, (u8)FIELD_GET(HV_REENLIGHTENMENT_VECTOR, target));
}

static const struct msr_row msrs[] = {
	/* Manual: never | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_REENLIGHTENMENT_CONTROL, "HV_X64_MSR_REENLIGHTENMENT_CONTROL"),
	  .read = control_read, .write = control_write },
	/* Manual: never | - | kept | 0 */
	{ MSR_ONE(HV_X64_MSR_TSC_EMULATION_CONTROL, "HV_X64_MSR_TSC_EMULATION_CONTROL"),
	  .read = control_read, .write = control_write },
	/* Manual: not 0 | - | kept | kept */
	{ MSR_ONE(HV_X64_MSR_TSC_EMULATION_STATUS, "HV_X64_MSR_TSC_EMULATION_STATUS"),
	  .rsvdz = ~0ull, .read = status_read, .write = status_write },
};

/*
 * Manual: an interrupt when the frequency of the TSC changes, and emulation of the old one until
 * the guest writes STATUS. Here that happens only by `test_fault=tsc_frequency`
 */
const struct hv_feature hv_reenlightenment_feature = {
	.name = "hv-reenlightenment",
	.help = "the guest hears of another TSC frequency",
	.abi = &hyperv_abi,
	.bits = { HV_PRIVILEGES(.a = HV_ACCESS_REENLIGHTENMENT) },
	.msrs = msrs,
	.msr_count = ARRAY_SIZE(msrs),
	.vp_reset = control_reset,
};
