/* SPDX-License-Identifier: BSD-2-Clause */
/* Register names of the TLFS: what each is, and how it is read and written. See vp_reg.h. */
#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/reg.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/vlapic.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/page_wait.h"
#include "hv/hv.h"
#include "hv/hyperv/vp_reg.h"

/* @arg: which one, from the row. Values of 64 bits: val->low, and val->high is 0. */
typedef u16 (*get_fn)(struct vp *vp, u32 arg, union hv_register_value *val);
typedef u16 (*set_fn)(struct vp *vp, u32 arg, const union hv_register_value *val,
		      struct vp_reg_undo *u);

struct reg_row {
	u32 first, last; /* names */
	get_fn get;      /* NULL: cannot be read */
	set_fn set;      /* NULL: cannot be written */
	u32 arg, step;   /* of the first name; distance to the next one's */
	bool wide;       /* more than 64 bits */
	enum vp_reg_way_back back;
};

void vp_reg_note(struct vp_reg_undo *u, enum vmcs_field field)
{
	for (u32 i = 0; i < u->count; i++) {
		if (u->field[i] == field)
			return;
	}
	ASSERT(u->count < VP_REG_UNDO_MAX);
	u->field[u->count] = field;
	u->old[u->count++] = hw_vmread(field);
}

void vp_reg_undo(struct vp_reg_undo *u)
{
	for (u32 i = 0; i < u->count; i++)
		hw_vmwrite(u->field[i], u->old[i]);
	u->count = 0;
}

static void change(struct vp_reg_undo *u, enum vmcs_field field, u64 val)
{
	vp_reg_note(u, field);
	hw_vmwrite(field, val);
}

static u16 status_of(err_t err)
{
	return err == ERR_NONE ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_REGISTER_VALUE;
}

/* --- General registers, flags --- */

static u16 gpr_get(struct vp *vp, u32 nr, union hv_register_value *val)
{
	val->low = gpr_read(vp, nr);
	return HV_STATUS_SUCCESS;
}

static u16 gpr_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	gpr_write(vp, nr, val->low);
	return HV_STATUS_SUCCESS;
}

static u16 field_get(struct vp *vp, u32 field, union hv_register_value *val)
{
	val->low = hw_vmread((enum vmcs_field)field);
	return HV_STATUS_SUCCESS;
}

/* Only VM entry checks it. */
static u16 field_set(struct vp *vp, u32 field, const union hv_register_value *val,
		     struct vp_reg_undo *u)
{
	change(u, (enum vmcs_field)field, val->low);
	return HV_STATUS_SUCCESS;
}

/* Rule K3: while the VP sleeps the IF in the VMCS is ours. */
static u16 rflags_get(struct vp *vp, u32 arg, union hv_register_value *val)
{
	val->low = hw_vmread(VMCS_GUEST_RFLAGS) & ~(vp->event.if_aside ? RFLAGS_IF : 0);
	return HV_STATUS_SUCCESS;
}

/* --- XMM: the guest's are in the CPU --- */

static u16 xmm_get(struct vp *vp, u32 nr, union hv_register_value *val)
{
	u64 xmm[4];

	if (hw_vector_read(HW_XMM, nr, xmm) != ERR_NONE)
		return HV_STATUS_INVALID_VP_STATE;
	val->low = xmm[0];
	val->high = xmm[1];
	return HV_STATUS_SUCCESS;
}

static u16 xmm_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	u64 xmm[4] = { val->low, val->high };

	return status_of(hw_vector_write(HW_XMM, nr, xmm));
}

/* --- Control and debug registers --- */

static u16 cr_get(struct vp *vp, u32 nr, union hv_register_value *val)
{
	val->low = nr == 0   ? guest_cr0(vp)
		   : nr == 2 ? hw_read_cr2()
		   : nr == 3 ? hw_vmread(VMCS_GUEST_CR3)
		   : nr == 4 ? guest_cr4(vp)
			     : vlapic_reg(&vp->apic, APIC_TPR) >> 4;
	return HV_STATUS_SUCCESS;
}

static u16 cr2_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	hw_write_cr2(val->low);
	return HV_STATUS_SUCCESS;
}

/* Waits in place for PDPTEs that are not in memory yet: the call may have set RIP already. */
static u16 cr_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	static const enum vmcs_field fields[] = {
		VMCS_GUEST_CR0,    VMCS_CR0_READ_SHADOW, VMCS_GUEST_CR3,    VMCS_GUEST_CR4,
		VMCS_GUEST_EFER,   VMCS_VM_ENTRY_CTLS,   VMCS_GUEST_PDPTE0, VMCS_GUEST_PDPTE1,
		VMCS_GUEST_PDPTE2, VMCS_GUEST_PDPTE3,
	};
	err_t err;

	if (nr == 0 && u->count != 0 && ((guest_cr0(vp) ^ val->low) & CR0_CD))
		return HV_STATUS_INVALID_REGISTER_VALUE; /* as an MTRR: memory types follow */
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		vp_reg_note(u, fields[i]);
	do
		err = nr == 0   ? guest_set_cr0(vp, val->low)
		      : nr == 3 ? guest_set_cr3(vp, val->low)
				: guest_set_cr4(vp, val->low);
	while (page_retry(vp, err));
	return status_of(err);
}

static u16 cr8_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	if (val->low & ~CR8_TPL)
		return HV_STATUS_INVALID_REGISTER_VALUE;
	vlapic_write(vp, APIC_TPR, (u32)val->low << 4);
	return HV_STATUS_SUCCESS;
}

static u16 xfem_get(struct vp *vp, u32 arg, union hv_register_value *val)
{
	val->low = vp->xcr0;
	return HV_STATUS_SUCCESS;
}

static u16 xfem_set(struct vp *vp, u32 arg, const union hv_register_value *val,
		    struct vp_reg_undo *u)
{
	return status_of(guest_set_xcr0(vp, val->low));
}

static u16 dr_get(struct vp *vp, u32 nr, union hv_register_value *val)
{
	val->low = guest_dr(nr);
	return HV_STATUS_SUCCESS;
}

static u16 dr_set(struct vp *vp, u32 nr, const union hv_register_value *val, struct vp_reg_undo *u)
{
	return status_of(guest_set_dr(nr, val->low));
}

/* --- Segments and tables --- */

/* The TLFS has no bit for "unusable": such a segment is not present. */
static u16 segment_get(struct vp *vp, u32 seg, union hv_register_value *val)
{
	u32 ar = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_AR, seg));

	val->segment = (struct hv_x64_segment_register){
		.base = hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_BASE, seg)),
		.limit = (u32)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_LIMIT, seg)),
		.selector = (u16)hw_vmread(vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, seg)),
		.attributes = (u16)((ar & AR_UNUSABLE) ? ar & ~AR_P : ar),
	};
	return HV_STATUS_SUCCESS;
}

/*
 * HW-ERRATUM: VM entry of Bochs 2.7 compares the RPL of a code segment with its DPL, in real mode,
 * too. The SDM has no such check.
 */
static bool fits_bochs(const struct vp *vp, u32 seg, const struct hv_x64_segment_register *s)
{
	u32 dpl = (u32)FIELD_GET(AR_DPL, s->attributes), rpl = s->selector & SEL_RPL;

	if (!vp->partition->machine.is_bochs || seg != SEG_CS || !(s->attributes & AR_TYPE_CODE))
		return true;
	return (s->attributes & AR_TYPE_CONFORMING) ? rpl >= dpl : rpl == dpl;
}

static u16 segment_put(struct vp *vp, u32 seg, const union hv_register_value *val,
		       struct vp_reg_undo *u)
{
	const struct hv_x64_segment_register *s = &val->segment;
	u32 ar = s->attributes;

	if (!fits_bochs(vp, seg, s))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	change(u, vmcs_segment_field(VMCS_GUEST_ES_BASE, seg), s->base);
	change(u, vmcs_segment_field(VMCS_GUEST_ES_LIMIT, seg), s->limit);
	change(u, vmcs_segment_field(VMCS_GUEST_ES_SELECTOR, seg), s->selector);
	change(u, vmcs_segment_field(VMCS_GUEST_ES_AR, seg), ar | ((ar & AR_P) ? 0 : AR_UNUSABLE));
	return HV_STATUS_SUCCESS;
}

/* @base_field: IDTR's or GDTR's. */
static enum vmcs_field limit_field(u32 base_field)
{
	return base_field == VMCS_GUEST_IDTR_BASE ? VMCS_GUEST_IDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT;
}

static u16 table_get(struct vp *vp, u32 base_field, union hv_register_value *val)
{
	val->table = (struct hv_x64_table_register){
		.limit = (u16)hw_vmread(limit_field(base_field)),
		.base = hw_vmread((enum vmcs_field)base_field),
	};
	return HV_STATUS_SUCCESS;
}

static u16 table_set(struct vp *vp, u32 base_field, const union hv_register_value *val,
		     struct vp_reg_undo *u)
{
	change(u, limit_field(base_field), val->table.limit);
	change(u, (enum vmcs_field)base_field, val->table.base);
	return HV_STATUS_SUCCESS;
}

/* --- MSRs, architectural and synthetic: what RDMSR and WRMSR do --- */

static bool can_write(const struct msr_row *row)
{
	return row->write != NULL || (row->flags & (MSR_PASS_WRITE | MSR_WRITE_IGNORED)) != 0;
}

static u16 msr_get(struct vp *vp, u32 msr, union hv_register_value *val)
{
	if (msr_lookup(vp->partition, msr) == NULL || msr_read(vp, msr, &val->low) != MSR_OK)
		return HV_STATUS_INVALID_PARAMETER;
	return HV_STATUS_SUCCESS;
}

static u16 msr_set(struct vp *vp, u32 msr, const union hv_register_value *val,
		   struct vp_reg_undo *u)
{
	const struct msr_row *row = msr_lookup(vp->partition, msr);

	if (row == NULL || !can_write(row))
		return HV_STATUS_INVALID_PARAMETER;
	return msr_write(vp, msr, val->low) == MSR_OK ? HV_STATUS_SUCCESS
						      : HV_STATUS_INVALID_REGISTER_VALUE;
}

/* EFER and PAT are in the VMCS, and VM entry checks them. */
static u16 msr_set_noted(struct vp *vp, u32 msr, const union hv_register_value *val,
			 struct vp_reg_undo *u)
{
	vp_reg_note(u, msr == MSR_IA32_EFER ? VMCS_GUEST_EFER : VMCS_GUEST_PAT);
	return msr_set(vp, msr, val, u);
}

/* --- What the hypervisor is, and what it is about to do --- */

static u16 leaf_get(struct vp *vp, u32 leaf, union hv_register_value *val)
{
	struct cpuid_regs r;

	cpuid_query(vp, HV_CPUID_BASE + leaf, 0, &r);
	val->low = r.a | (u64)r.b << 32;
	val->high = r.c | (u64)r.d << 32;
	return HV_STATUS_SUCCESS;
}

/* The types of events have the same numbers in the VMCS. */
static u16 pending_get(struct vp *vp, u32 arg, union hv_register_value *val)
{
	u64 info = hw_vmread(VMCS_VM_ENTRY_INTR_INFO);
	u64 error = hw_vmread(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE);

	if (!(info & INTR_INFO_VALID)) {
		info = vp->event.info;
		error = vp->event.error;
	}
	if (!(info & INTR_INFO_VALID))
		return HV_STATUS_SUCCESS;
	val->low = HV_X64_PENDING_INTERRUPTION |
		   FIELD_PREP(HV_X64_PENDING_TYPE, FIELD_GET(INTR_INFO_TYPE, info)) |
		   FIELD_PREP(HV_X64_PENDING_VECTOR, FIELD_GET(INTR_INFO_VECTOR, info));
	if (info & INTR_INFO_ERROR_CODE_VALID)
		val->low |= HV_X64_PENDING_HAS_ERROR | FIELD_PREP(HV_X64_PENDING_ERROR, (u32)error);
	return HV_STATUS_SUCCESS;
}

static u16 interrupt_state_get(struct vp *vp, u32 arg, union hv_register_value *val)
{
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY);

	val->low = ((blocking & INTERRUPT_SHADOW) ? HV_X64_INTERRUPT_SHADOW : 0) |
		   ((blocking & GUEST_INTR_BLOCKED_BY_NMI) ? HV_X64_NMI_MASKED : 0);
	return HV_STATUS_SUCCESS;
}

/* clang-format off */
#define REG(name, ...)         { .first = (name), .last = (name), __VA_ARGS__ }
#define REGS(name, n, ...)     { .first = (name), .last = (name) + (n) - 1, .step = 1, __VA_ARGS__ }
#define VALUE                  .back = BACK_BY_VALUE
#define UNDO                   .back = BACK_BY_UNDO
#define MSRS(name, n, msr, ...) \
	REGS(name, n, .get = msr_get, .set = msr_set, .arg = (msr), __VA_ARGS__)

static const struct reg_row rows[] = {
	/* Manual: hypervisor version, privileges, features, limits, hardware: leaves 2 to 6 | read only */
	REG(HV_REGISTER_HYPERVISOR_VERSION, .get = leaf_get, .arg = 2, .wide = true),
	REGS(HV_REGISTER_PRIVILEGES_AND_FEATURES_INFO, 4, .get = leaf_get, .arg = 3, .wide = true),
	MSRS(HV_REGISTER_CRASH_P0, 6, HV_X64_MSR_CRASH_P0),
	REG(HV_REGISTER_PENDING_INTERRUPTION, .get = pending_get),
	REG(HV_REGISTER_INTERRUPT_STATE, .get = interrupt_state_get),
	REGS(HV_X64_REGISTER_RAX, 16, .get = gpr_get, .set = gpr_set, .arg = GPR_AX, VALUE),
	REG(HV_X64_REGISTER_RIP, .get = field_get, .set = field_set, .arg = VMCS_GUEST_RIP, UNDO),
	REG(HV_X64_REGISTER_RFLAGS, .get = rflags_get, .set = field_set, .arg = VMCS_GUEST_RFLAGS, UNDO),
	REGS(HV_X64_REGISTER_XMM0, 16, .get = xmm_get, .set = xmm_set, .wide = true, VALUE),
	REG(HV_X64_REGISTER_CR0, .get = cr_get, .set = cr_set, .arg = 0, UNDO),
	REG(HV_X64_REGISTER_CR2, .get = cr_get, .set = cr2_set, .arg = 2, VALUE),
	REG(HV_X64_REGISTER_CR3, .get = cr_get, .set = cr_set, .arg = 3, UNDO),
	REG(HV_X64_REGISTER_CR4, .get = cr_get, .set = cr_set, .arg = 4, UNDO),
	REG(HV_X64_REGISTER_CR8, .get = cr_get, .set = cr8_set, .arg = 8, VALUE),
	REG(HV_X64_REGISTER_XFEM, .get = xfem_get, .set = xfem_set, VALUE),
	REGS(HV_X64_REGISTER_DR0, 4, .get = dr_get, .set = dr_set, .arg = 0, VALUE),
	REGS(HV_X64_REGISTER_DR6, 2, .get = dr_get, .set = dr_set, .arg = 6, VALUE),
	REGS(HV_X64_REGISTER_ES, 8, .get = segment_get, .set = segment_put, .arg = SEG_ES, .wide = true, UNDO),
	REG(HV_X64_REGISTER_IDTR, .get = table_get, .set = table_set, .arg = VMCS_GUEST_IDTR_BASE,
	    .wide = true, UNDO),
	REG(HV_X64_REGISTER_GDTR, .get = table_get, .set = table_set, .arg = VMCS_GUEST_GDTR_BASE,
	    .wide = true, UNDO),
	MSRS(HV_X64_REGISTER_TSC, 1, MSR_IA32_TSC),
	REG(HV_X64_REGISTER_EFER, .get = msr_get, .set = msr_set_noted, .arg = MSR_IA32_EFER, UNDO),
	MSRS(HV_X64_REGISTER_KERNEL_GS_BASE, 1, MSR_IA32_KERNEL_GS_BASE, VALUE),
	MSRS(HV_X64_REGISTER_APIC_BASE, 1, MSR_IA32_APIC_BASE),
	REG(HV_X64_REGISTER_PAT, .get = msr_get, .set = msr_set_noted, .arg = MSR_IA32_PAT, UNDO),
	MSRS(HV_X64_REGISTER_SYSENTER_CS, 1, MSR_IA32_SYSENTER_CS, VALUE),
	MSRS(HV_X64_REGISTER_SYSENTER_EIP, 1, MSR_IA32_SYSENTER_EIP, VALUE),
	MSRS(HV_X64_REGISTER_SYSENTER_ESP, 1, MSR_IA32_SYSENTER_ESP, VALUE),
	MSRS(HV_X64_REGISTER_STAR, 4, MSR_IA32_STAR, VALUE), /* LSTAR, CSTAR, SFMASK */
	MSRS(HV_X64_REGISTER_MTRR_CAP, 1, MSR_IA32_MTRRCAP),
	MSRS(HV_X64_REGISTER_MTRR_DEF_TYPE, 1, MSR_IA32_MTRR_DEF_TYPE),
	{ HV_X64_REGISTER_MTRR_PHYS_BASE0, HV_X64_REGISTER_MTRR_PHYS_BASE0 + 15, msr_get, msr_set,
	  MSR_IA32_MTRR_PHYSBASE0, 2, false, BACK_NEVER },
	{ HV_X64_REGISTER_MTRR_PHYS_MASK0, HV_X64_REGISTER_MTRR_PHYS_MASK0 + 15, msr_get, msr_set,
	  MSR_IA32_MTRR_PHYSMASK0, 2, false, BACK_NEVER },
	MSRS(HV_X64_REGISTER_MTRR_FIX64K00000, 1, MSR_IA32_MTRR_FIX64K_00000),
	MSRS(HV_X64_REGISTER_MTRR_FIX16K80000, 2, MSR_IA32_MTRR_FIX16K_80000),
	MSRS(HV_X64_REGISTER_MTRR_FIX4KC0000, 8, MSR_IA32_MTRR_FIX4K_C0000),
	MSRS(HV_X64_REGISTER_TSC_AUX, 1, MSR_IA32_TSC_AUX, VALUE),
	MSRS(HV_REGISTER_VP_RUNTIME, 1, HV_X64_MSR_VP_RUNTIME),
	MSRS(HV_X64_REGISTER_HYPERCALL, 1, HV_X64_MSR_HYPERCALL),
	MSRS(HV_REGISTER_GUEST_OSID, 1, HV_X64_MSR_GUEST_OS_ID),
	MSRS(HV_REGISTER_VP_INDEX, 1, HV_X64_MSR_VP_INDEX),
	MSRS(HV_REGISTER_TIME_REF_COUNT, 1, HV_X64_MSR_TIME_REF_COUNT),
	MSRS(HV_X64_REGISTER_EOI, 3, HV_X64_MSR_EOI), /* ICR, TPR */
	MSRS(HV_REGISTER_VP_ASSIST_PAGE, 1, HV_X64_MSR_VP_ASSIST_PAGE),
	MSRS(HV_REGISTER_REFERENCE_TSC, 1, HV_X64_MSR_REFERENCE_TSC),
	MSRS(HV_REGISTER_SINT0, HV_SYNIC_SINT_COUNT, HV_X64_MSR_SINT0),
	MSRS(HV_REGISTER_SCONTROL, 5, HV_X64_MSR_SCONTROL), /* SVERSION, SIEFP, SIMP, EOM */
	MSRS(HV_REGISTER_STIMER0_CONFIG, 8, HV_X64_MSR_STIMER0_CONFIG),
	MSRS(HV_REGISTER_STIME_UNHALTED_TIMER_CONFIG, 2, HV_X64_MSR_STIME_UNHALTED_TIMER_CONFIG),
};
/* clang-format on */

static const struct reg_row *find(u32 name, u32 *arg)
{
	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		if (name - rows[i].first > rows[i].last - rows[i].first)
			continue;
		*arg = rows[i].arg + (name - rows[i].first) * rows[i].step;
		return &rows[i];
	}
	return NULL;
}

enum vp_reg_way_back vp_reg_way_back(u32 name)
{
	u32 arg;
	const struct reg_row *row = find(name, &arg);

	return row != NULL ? row->back : BACK_NEVER;
}

u16 vp_reg_get(struct vp *vp, u32 name, union hv_register_value *val)
{
	u32 arg;
	const struct reg_row *row = find(name, &arg);

	*val = (union hv_register_value){ 0 };
	if (row == NULL || row->get == NULL)
		return HV_STATUS_INVALID_PARAMETER;
	return row->get(vp, arg, val);
}

u16 vp_reg_set(struct vp *vp, u32 name, const union hv_register_value *val, struct vp_reg_undo *u)
{
	u32 arg;
	const struct reg_row *row = find(name, &arg);

	if (row == NULL || row->set == NULL)
		return HV_STATUS_INVALID_PARAMETER;
	if ((!row->wide && val->high != 0) || (row->back == BACK_NEVER && u->count != 0))
		return HV_STATUS_INVALID_REGISTER_VALUE;
	return row->set(vp, arg, val, u);
}
