/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv-start-vp: StartVirtualProcessor, which starts a VP in any state that VM entry accepts, where
 * INIT and SIPI start it in real mode; GetVpIndexFromApicId finds its name.
 *
 * Context: caller's CPU; the start: the CPU of the VP.
 * Spec:    TLFS "HvCallStartVirtualProcessor", "HvCallGetVpIndexFromApicId".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/exit/entry_check.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/hold.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/vp_reg.h"

#define VTL_MAX 2u

struct setting {
	u32 name;
	u64 val;
};

struct start {
	const struct hv_init_vp_context *context;
	u16 status;
};

static u16 set_values(struct vp *vp, const struct setting *s, u32 n, struct vp_reg_undo *u)
{
	for (u32 i = 0; i < n; i++) {
		const union hv_register_value val = { .low = s[i].val };
		u16 status = vp_reg_set(vp, s[i].name, &val, u);

		if (status != HV_STATUS_SUCCESS)
			return status;
	}
	return HV_STATUS_SUCCESS;
}

/* As a processor would get there from real mode: PCIDs are turned on last, and in PCID 0. */
static u16 set_mode(struct vp *vp, const struct hv_init_vp_context *c, struct vp_reg_undo *u)
{
	const struct setting settings[] = {
		{ HV_X64_REGISTER_PAT, c->msr_cr_pat },
		{ HV_X64_REGISTER_EFER, c->efer },
		{ HV_X64_REGISTER_CR4, c->cr4 & ~CR4_PCIDE },
		{ HV_X64_REGISTER_CR3, c->cr3 & ~CR3_PCID },
		{ HV_X64_REGISTER_CR0, c->cr0 },
		{ HV_X64_REGISTER_CR4, c->cr4 },
		{ HV_X64_REGISTER_CR3, c->cr3 },
		{ HV_X64_REGISTER_RIP, c->rip },
		{ HV_X64_REGISTER_RFLAGS, c->rflags },
	};

	return set_values(vp, settings, ARRAY_SIZE(settings), u);
}

static u16 set_segments(struct vp *vp, const struct hv_init_vp_context *c, struct vp_reg_undo *u)
{
	const union hv_register_value segment[] = {
		{ .segment = c->es },   { .segment = c->cs }, { .segment = c->ss },
		{ .segment = c->ds },   { .segment = c->fs }, { .segment = c->gs },
		{ .segment = c->ldtr }, { .segment = c->tr },
	};
	const union hv_register_value table[] = { { .table = c->idtr }, { .table = c->gdtr } };
	u16 status = HV_STATUS_SUCCESS;

	for (u32 i = 0; i < ARRAY_SIZE(segment) && status == HV_STATUS_SUCCESS; i++)
		status = vp_reg_set(vp, HV_X64_REGISTER_ES + i, &segment[i], u);
	for (u32 i = 0; i < ARRAY_SIZE(table) && status == HV_STATUS_SUCCESS; i++)
		status = vp_reg_set(vp, HV_X64_REGISTER_IDTR + i, &table[i], u);
	return status;
}

/* After INIT the VP is in real mode; a refused context leaves it there. */
static void start(struct vp *vp, void *arg)
{
	struct start *s = arg;
	struct vp_reg_undo undo = { 0 };

	if (vp->state != VP_WAIT_SIPI) {
		s->status = HV_STATUS_INVALID_VP_STATE;
		return;
	}
	vp_restore_if(vp); /* rule K3 */
	vp_set_work(vp, VP_WORK_EVENT);
	vp_reg_note(&undo, VMCS_GUEST_ACTIVITY_STATE);
	hw_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	s->status = set_mode(vp, s->context, &undo);
	if (s->status == HV_STATUS_SUCCESS)
		s->status = set_segments(vp, s->context, &undo);
	if (s->status == HV_STATUS_SUCCESS && !entry_check_passes())
		s->status = HV_STATUS_INVALID_REGISTER_VALUE;
	if (s->status != HV_STATUS_SUCCESS) {
		vp_reg_undo(&undo);
		return;
	}
	hw_vmwrite(VMCS_GUEST_RSP, s->context->rsp);
	vp_start(vp);
	COUNT(vp, HV_VP_STARTED);
}

static u16 check_vtl(u8 vtl)
{
	if (vtl > VTL_MAX)
		return HV_STATUS_INVALID_PARAMETER;
	return vtl != 0 ? HV_STATUS_ACCESS_DENIED : HV_STATUS_SUCCESS; /* there is VTL 0 only */
}

static u16 start_virtual_processor(struct vp *vp, struct hcall *hc)
{
	const struct hv_start_virtual_processor *in = hc->in;
	struct start s = { .context = &in->context };
	struct vp *target;
	u16 status;
	err_t err;

	if (in->partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_INVALID_PARTITION_ID;
	target = in->vp_index == HV_VP_INDEX_SELF ? vp : partition_vp(vp->partition, in->vp_index);
	if (target == NULL)
		return HV_STATUS_INVALID_VP_INDEX;
	status = check_vtl(in->target_vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	err = remote_call_between(target, start, &s);
	hc->again = err == ERR_AGAIN;
	return err == ERR_NODEV ? HV_STATUS_INVALID_VP_STATE : s.status;
}

static u16 get_vp_index_from_apic_id(struct vp *vp, struct hcall *hc)
{
	const struct hv_get_vp_index_from_apic_id *in = hc->in;
	const u32 *id = hc->list;
	u32 *index = hc->out_list;
	u16 status;

	if (in->partition_id != HV_PARTITION_ID_SELF)
		return HV_STATUS_INVALID_PARTITION_ID;
	status = check_vtl(in->target_vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	while (hc->done < hc->count) {
		const struct vp *found = partition_vp_by_apic_id(vp->partition, id[hc->done]);

		if (found == NULL)
			return HV_STATUS_INVALID_PARAMETER;
		index[hc->done++] = found->index;
		if (hcall_is_late(hc))
			break;
	}
	return HV_STATUS_SUCCESS;
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: starts a VP that waits for a SIPI |
	 * 5, 6: VTL; 13: another partition; 14: VP; 21: it runs already; 80: VM entry would fail
	 */
	{ .nr = HVCALL_START_VP,
	  .kind = HCALL_SIMPLE,
	  .name = "StartVirtualProcessor",
	  .mem = start_virtual_processor,
	  .in_size = sizeof(struct hv_start_virtual_processor) },
	/* Manual: lists of u32, as Linux has them, not of 8 bytes | 5: no such APIC ID, or VTL; 13
	 */
	{ .nr = HVCALL_GET_VP_INDEX_FROM_APIC_ID,
	  .kind = HCALL_REP,
	  .name = "GetVpIndexFromApicId",
	  .mem = get_vp_index_from_apic_id,
	  .in_size = sizeof(struct hv_get_vp_index_from_apic_id),
	  .rep_in_size = sizeof(u32),
	  .rep_out_size = sizeof(u32) },
};

/* Manual: StartVirtualProcessor: a CPU starts in any mode that VM entry accepts, without INIT and
 * SIPI */
const struct hv_feature hv_start_vp_feature = {
	.name = "hv-start-vp",
	.help = "one hypercall starts a CPU in any mode",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.b = HV_START_VIRTUAL_PROCESSOR) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
