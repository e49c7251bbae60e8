/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv-vp-registers: GetVpRegisters, SetVpRegisters and TranslateVirtualAddress for VPs of the own
 * partition: a guest's way to look at, and to move, its own processors.
 *
 * Registers that depend on each other (CS and SS, RIP and CS, ...) may come in any order, but for
 * CS.L before CR0.PG, which counts as in MOV to CR0. What is checked as a whole is what VM entry
 * would load: the list takes effect up to the last element after which that passes; later ones do
 * not. So what cannot be taken back, an MSR with effects beyond its VP, may not stand
 * between registers that pass only together.
 *
 * Context: caller's CPU; what touches registers: the CPU of the VP they belong to.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/ept.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/panic.h"
#include "core/exit/entry_check.h"
#include "core/hw.h"
#include "core/mem/overlay.h"
#include "core/mem/walk.h"
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "hv/hcall_mem.h"
#include "hv/hyperv/hyperv_internal.h"
#include "hv/hyperv/vp_reg.h"

#define XMM_REGISTERS 16u

struct reg_call {
	const struct vp *caller;
	struct hcall *hc;
	u16 status;
};

/* The time that a call may take starts anew on the CPU that does the work. */
static void begin_slice(struct vp *vp, struct hcall *hc)
{
	hc->deadline_tsc = hw_tsc() + vp->partition->clock.tsc_hz / HCALL_SLICE_PER_S;
}

static void get_list(struct vp *vp, void *arg)
{
	struct reg_call *c = arg;
	const u32 *names = c->hc->list;
	union hv_register_value *values = c->hc->out_list;

	begin_slice(vp, c->hc);
	while (c->hc->done < c->hc->count) {
		c->status = vp_reg_get(vp, names[c->hc->done], &values[c->hc->done]);
		if (c->status != HV_STATUS_SUCCESS)
			return;
		c->hc->done++;
		if (hcall_is_late(c->hc))
			return;
	}
}

/*
 * The last exit left an event for the next entry, whose delivery depends on the registers. Let the
 * VP take it first.
 */
static bool has_event_to_deliver(const struct vp *vp)
{
	return (vp->event.info & INTR_INFO_VALID) ||
	       (hw_vmread(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VALID);
}

/*
 * It does not run any more, and the VMCS does not say so yet: VM entry would check the registers
 * for another activity state than we can.
 */
static bool is_falling_asleep(const struct vp *vp)
{
	return vp->state != VP_RUNNING && !vp->asleep;
}

/*
 * Our own hypercall is still to be stepped over: that adds to RIP, and ends the shadow of STI.
 */
static void begin_own(void)
{
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPT_SHADOW);
}

static void end_own(void)
{
	hw_vmwrite(VMCS_GUEST_RIP,
		   hw_vmread(VMCS_GUEST_RIP) - hw_vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH));
}

/* RIP, a general register or an XMM register. */
static bool carries_call_input(u32 name)
{
	return name - HV_X64_REGISTER_RAX <= HV_X64_REGISTER_RIP - HV_X64_REGISTER_RAX ||
	       name - HV_X64_REGISTER_XMM0 < XMM_REGISTERS;
}

/* What is done of a list. */
struct progress {
	bool moves; /* RIP is set */
	bool input; /* a register is set that the call would need to go on */
};

/* The list is ours: it keeps the old value of what goes back by value. */
static u16 set_element(struct vp *vp, struct hv_register_assoc *e, struct vp_reg_undo *undo)
{
	union hv_register_value old = { 0 };
	bool by_value = vp_reg_way_back(e->name) == BACK_BY_VALUE;
	u16 status = HV_STATUS_SUCCESS;

	if (by_value)
		status = vp_reg_get(vp, e->name, &old);
	if (status == HV_STATUS_SUCCESS)
		status = vp_reg_set(vp, e->name, &e->value, undo);
	if (by_value && status == HV_STATUS_SUCCESS)
		e->value = old;
	return status;
}

/* Elements from @from to before @end were set by set_element(). */
static void take_back(struct vp *vp, const struct hv_register_assoc *list, u32 from, u32 end,
		      struct vp_reg_undo *undo)
{
	while (end-- > from) {
		u16 status;

		if (vp_reg_way_back(list[end].name) != BACK_BY_VALUE)
			continue;
		status = vp_reg_set(vp, list[end].name, &list[end].value, undo);
		ASSERT(status == HV_STATUS_SUCCESS); /* it was so before */
	}
	vp_reg_undo(undo);
}

/*
 * Elements after which VM entry accepts the state are done; what follows the last of them is taken
 * back.
 */
static struct progress set_elements(struct vp *vp, struct reg_call *c)
{
	struct hv_register_assoc *list = c->hc->list;
	struct vp_reg_undo undo = { 0 };
	struct progress now = { 0 }, done = { 0 };
	bool own = vp == c->caller;
	u32 i = 0;

	while (i < c->hc->count) {
		if (i != 0 && undo.count == 0 && !(own && done.input) && hcall_is_late(c->hc))
			break;
		c->status = set_element(vp, &list[i], &undo);
		if (c->status != HV_STATUS_SUCCESS)
			break;
		now.moves |= list[i].name == HV_X64_REGISTER_RIP;
		now.input |= carries_call_input(list[i++].name);
		if (undo.count != 0 && !entry_check_passes())
			continue;
		undo.count = 0;
		done = now;
		c->hc->done = i;
	}
	if (undo.count != 0) {
		take_back(vp, list, c->hc->done, i, &undo);
		if (c->status == HV_STATUS_SUCCESS)
			c->status = HV_STATUS_INVALID_REGISTER_VALUE;
	}
	return done;
}

static void set_list(struct vp *vp, void *arg)
{
	struct reg_call *c = arg;
	bool own = vp == c->caller;
	struct progress done;

	if (vp->step.active) { /* TF and more are not the guest's */
		c->status = HV_STATUS_INVALID_VP_STATE;
		return;
	}
	if (has_event_to_deliver(vp))
		return; /* nothing is done: again */
	vp_set_work(vp, VP_WORK_EVENT);
	if (is_falling_asleep(vp))
		return;
	vp_restore_if(vp); /* rule K3 */
	begin_slice(vp, c->hc);
	if (own)
		begin_own();
	done = set_elements(vp, c);
	if (own && done.moves)
		end_own();
}

/* --- Targets --- */

static u16 check_vtl(u8 input_vtl)
{
	if (input_vtl & HV_INPUT_VTL_RESERVED)
		return HV_STATUS_INVALID_PARAMETER;
	if ((input_vtl & HV_INPUT_VTL_USE_TARGET) && (input_vtl & HV_INPUT_VTL_TARGET))
		return HV_STATUS_ACCESS_DENIED; /* there is VTL 0 only */
	return HV_STATUS_SUCCESS;
}

static u16 find_target(struct vp *vp, u64 partition, u32 index, struct vp **target)
{
	if (partition != HV_PARTITION_ID_SELF)
		return HV_STATUS_ACCESS_DENIED;
	*target = index == HV_VP_INDEX_SELF ? vp : partition_vp(vp->partition, index);
	return *target != NULL ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}

/* Run @fn on the target's CPU. Not done at all is no error: the guest comes again. */
static u16 run_list(struct vp *vp, struct hcall *hc, remote_fn fn)
{
	const struct hv_vp_registers *in = hc->in;
	struct reg_call c = { .caller = vp, .hc = hc };
	struct vp *target;
	u16 status = find_target(vp, in->partition_id, in->vp_index, &target);

	if (status == HV_STATUS_SUCCESS)
		status = check_vtl(in->input_vtl);
	if (status != HV_STATUS_SUCCESS)
		return status;
	if (remote_call_between(target, fn, &c) == ERR_NODEV)
		return HV_STATUS_INVALID_VP_STATE;
	return c.status;
}

static u16 get_vp_registers(struct vp *vp, struct hcall *hc)
{
	COUNT(vp, HV_GET_VP_REGISTERS);
	return run_list(vp, hc, get_list);
}

static u16 set_vp_registers(struct vp *vp, struct hcall *hc)
{
	COUNT(vp, HV_SET_VP_REGISTERS);
	return run_list(vp, hc, set_list);
}

/* --- Translation --- */

/*
 * Not: to set accessed and dirty flags (the walk does not), and to hold the translation until
 * another VTL releases it.
 */
#define TRANSLATE_FLAGS                                                          \
	(HV_TRANSLATE_GVA_VALIDATE_READ | HV_TRANSLATE_GVA_VALIDATE_WRITE |      \
	 HV_TRANSLATE_GVA_VALIDATE_EXECUTE | HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT | \
	 HV_TRANSLATE_GVA_INPUT_VTL)

struct translation {
	const struct hv_translate_virtual_address *in;
	struct hv_translate_virtual_address_out *out;
};

static u32 fault_code(const struct walk_fault *f)
{
	if (!f->page_fault)
		return HV_TRANSLATE_GVA_GPA_UNMAPPED;
	if (!(f->code & PFEC_P))
		return HV_TRANSLATE_GVA_PAGE_NOT_PRESENT;
	return (f->code & PFEC_RSVD) ? HV_TRANSLATE_GVA_INVALID_PAGE_TABLE_FLAGS
				     : HV_TRANSLATE_GVA_PRIVILEGE_VIOLATION;
}

/* Memory types have the same numbers in the PAT. 0 where the walk has no path: 32-bit and PAE
 * paging, and tables outside RAM. */
static u32 cache_type(const struct vp *vp, const struct walk_path *path)
{
	u64 leaf, levels = (hw_vmread(VMCS_GUEST_CR4) & CR4_LA57) ? 5 : 4;
	u32 index;

	if (!(hw_vmread(VMCS_GUEST_CR0) & CR0_PG))
		return MT_WB;
	if (path->count == 0)
		return MT_UC;
	leaf = path->entry[path->count - 1];
	index = ((leaf & PTE_PWT) ? 1 : 0) | ((leaf & PTE_PCD) ? 2 : 0);
	if (leaf & (path->count < levels ? PTE_PAT_LARGE : PTE_PAT))
		index |= 4;
	return (u32)(hw_vmread(VMCS_GUEST_PAT) >> (8 * index)) & 7;
}

/* The GPA is known; may it be used like that? */
static void translate_gpa(const struct vp *vp, struct translation *t, u64 at)
{
	struct hv_translate_virtual_address_out *out = t->out;
	struct overlay_at found = overlay_next(vp->partition, at);
	bool is_overlay = found.gpa <= at;
	u64 end, flags = t->in->control_flags;
	u64 perms = is_overlay ? found.overlay->perms
			       : page_class[page_kind_at(vp->partition, at, &end)].perms;

	out->gpa_page = at >> PAGE_SHIFT;
	out->flags |= is_overlay ? HV_TRANSLATE_GVA_OVERLAY_PAGE : 0;
	if (perms == 0 && !is_overlay)
		out->result = HV_TRANSLATE_GVA_GPA_UNMAPPED;
	else if (is_overlay && (flags & HV_TRANSLATE_GVA_VALIDATE_EXECUTE) && !(perms & EPT_X))
		out->result = HV_TRANSLATE_GVA_ILLEGAL_OVERLAY_ACCESS;
	else if ((flags & HV_TRANSLATE_GVA_VALIDATE_WRITE) && !(perms & EPT_W))
		out->result = is_overlay ? HV_TRANSLATE_GVA_ILLEGAL_OVERLAY_ACCESS
					 : HV_TRANSLATE_GVA_GPA_NO_WRITE_ACCESS;
}

static u32 walk_mode(const struct vp *vp, u64 flags)
{
	if (flags & HV_TRANSLATE_GVA_PRIVILEGE_EXEMPT)
		return WALK_EXEMPT;
	return walk_user(vp);
}

/* SPEC-GAP: what an address that is not canonical is: not mapped. */
static bool is_translatable(u64 gva_page)
{
	u32 width = (hw_vmread(VMCS_GUEST_CR4) & CR4_LA57) ? 57 : 48;

	if (!(hw_vmread(VMCS_GUEST_EFER) & EFER_LMA))
		return gva_page >> (32 - PAGE_SHIFT) == 0;
	return gva_page >> (64 - PAGE_SHIFT) == 0 &&
	       addr_is_canonical(gva_page << PAGE_SHIFT, width);
}

/* Every requested kind of access must be allowed; none at all: only the translation counts. */
static void translate(struct vp *vp, void *arg)
{
	struct translation *t = arg;
	u64 flags = t->in->control_flags, gva = t->in->gva_page << PAGE_SHIFT;
	u32 mode = walk_mode(vp, flags);
	const struct {
		u64 flag;
		u32 access;
	} kinds[] = {
		{ HV_TRANSLATE_GVA_VALIDATE_READ, mode | WALK_READ },
		{ HV_TRANSLATE_GVA_VALIDATE_WRITE, mode | WALK_WRITE },
		{ HV_TRANSLATE_GVA_VALIDATE_EXECUTE, mode | WALK_FETCH },
		{ 0, WALK_READ | WALK_EXEMPT },
	};
	struct walk_path path = { 0 };
	struct walk_fault fault;
	gpa_t at = gpa(0);
	err_t err;

	if (!is_translatable(t->in->gva_page)) {
		t->out->result = HV_TRANSLATE_GVA_PAGE_NOT_PRESENT;
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((flags & kinds[i].flag) != kinds[i].flag)
			continue;
		do
			err = walk_gva_path(vp, gva, kinds[i].access, &at, &fault, &path);
		while (page_retry(vp, err));
		if (err != ERR_NONE) {
			t->out->result = fault_code(&fault);
			return;
		}
	}
	t->out->flags = cache_type(vp, &path);
	translate_gpa(vp, t, at.v);
}

static u16 translate_virtual_address(struct vp *vp, struct hcall *hc)
{
	const struct hv_translate_virtual_address *in = hc->in;
	struct translation t = { .in = in, .out = hc->out };
	struct vp *target;
	u16 status = find_target(vp, in->partition_id, in->vp_index, &target);
	err_t err;

	if (status != HV_STATUS_SUCCESS)
		return status;
	if (in->reserved != 0 || (in->control_flags & ~TRANSLATE_FLAGS))
		return HV_STATUS_INVALID_PARAMETER;
	status = check_vtl((u8)FIELD_GET(HV_TRANSLATE_GVA_INPUT_VTL, in->control_flags));
	if (status != HV_STATUS_SUCCESS)
		return status;
	err = remote_call_between(target, translate, &t);
	hc->again = err == ERR_AGAIN;
	return err == ERR_NODEV ? HV_STATUS_INVALID_VP_STATE : HV_STATUS_SUCCESS;
}

static const struct hcall_row hcalls[] = {
	/*
	 * Manual: registers of a VP that is not in the middle of an exit |
	 * 5: a name that is unknown or cannot be read; 6: another partition, or VTL; 14: VP; 21:
	 * the VP has not started yet
	 */
	{ .nr = HVCALL_GET_VP_REGISTERS,
	  .kind = HCALL_REP,
	  .name = "GetVpRegisters",
	  .mem = get_vp_registers,
	  .in_size = sizeof(struct hv_vp_registers),
	  .rep_in_size = sizeof(u32),
	  .rep_out_size = sizeof(union hv_register_value),
	  .fast = true },
	/*
	 * Manual: sets them as the instructions would. The caller's own RIP counts after the call;
	 * its RAX, RDX and R8 belong to the call |
	 * as above; 80: the instruction would fault, or VM entry fail; an MSR with effects beyond
	 * its VP between registers that pass only together. Elements before the first failure take
	 * effect; later ones do not
	 */
	{ .nr = HVCALL_SET_VP_REGISTERS,
	  .kind = HCALL_REP,
	  .name = "SetVpRegisters",
	  .mem = set_vp_registers,
	  .in_size = sizeof(struct hv_vp_registers),
	  .rep_in_size = sizeof(struct hv_register_assoc),
	  .fast = true },
	/*
	 * Manual: the page at a guest-linear address, as that VP translates it now; flags 10H (set
	 * accessed and dirty) and 20H are refused | 5: flags; 6, 14, 21: as above
	 */
	{ .nr = HVCALL_TRANSLATE_VIRTUAL_ADDRESS,
	  .kind = HCALL_SIMPLE,
	  .name = "TranslateVirtualAddress",
	  .mem = translate_virtual_address,
	  .in_size = sizeof(struct hv_translate_virtual_address),
	  .out_size = sizeof(struct hv_translate_virtual_address_out) },
};

/* Manual: GetVpRegisters, SetVpRegisters, TranslateVirtualAddress: a guest debugs itself */
const struct hv_feature hv_vp_registers_feature = {
	.name = "hv-vp-registers",
	.help = "a guest reads and sets the registers of its CPUs",
	.abi = &hyperv_abi,
	.profiles = IN_TEST_PROFILES,
	.bits = { HV_PRIVILEGES(.b = HV_ACCESS_VP_REGISTERS) },
	.hcalls = hcalls,
	.hcall_count = ARRAY_SIZE(hcalls),
};
