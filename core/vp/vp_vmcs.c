/* SPDX-License-Identifier: BSD-2-Clause */
/* The control fields of a VMCS, as every VP starts with them. Pure. */
#include "core/vp/vp_vmcs.h"

#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"

/* clang-format off */
/* Controls that are the same on every VP and never change. */
static const struct {
	enum vmcs_field field;
	u64 value;
} fixed_controls[] = {
	/* Rule M3: #DB and #AC can be delivered for ever without an exit. */
	{ VMCS_EXCEPTION_BITMAP,          BIT64(EXC_DB) | BIT64(EXC_AC) },
	{ VMCS_PAGE_FAULT_ERROR_CODE_MASK,        0 },
	{ VMCS_PAGE_FAULT_ERROR_CODE_MATCH,       0 },
	{ VMCS_CR3_TARGET_COUNT,          0 },
	{ VMCS_VM_EXIT_MSR_STORE_COUNT,   0 },
	{ VMCS_VM_EXIT_MSR_LOAD_COUNT,    0 },
	{ VMCS_VM_ENTRY_MSR_LOAD_COUNT,   0 },
	{ VMCS_VM_ENTRY_INTR_INFO,        0 },
	{ VMCS_CR0_GUEST_HOST_MASK,       GUEST_CR0_OWNED },
	{ VMCS_VMCS_LINK_POINTER,         VMCS_LINK_POINTER_NONE },
};
/* clang-format on */

void vp_vmcs_fill(struct vp *vp, const struct vp_ctls *ctls)
{
	const struct partition *p = vp->partition;
	const struct machine *m = &p->machine;

	for (size_t i = 0; i < ARRAY_SIZE(fixed_controls); i++)
		hw_vmwrite(fixed_controls[i].field, fixed_controls[i].value);

	/* HW-ERRATUM: an open window does not end a HLT in Bochs, so that HLT must exit. */
	vp->window_ctls = p->config.hlt == HLT_PASSTHROUGH ? PROC_HLT_EXITING : 0;
	vp->proc_ctls = ctls->proc;
	vp->proc2_ctls = ctls->proc2;
	hw_vmwrite(VMCS_PIN_BASED_CTLS, ctls->pin);
	hw_vmwrite(VMCS_PROC_BASED_CTLS, ctls->proc);
	hw_vmwrite(VMCS_PROC_BASED_CTLS2, ctls->proc2);
	hw_vmwrite(VMCS_VM_EXIT_CTLS, ctls->exit);
	hw_vmwrite(VMCS_VM_ENTRY_CTLS, ctls->entry);
	hw_vmwrite(VMCS_CR4_GUEST_HOST_MASK, ~p->machine.cr4_allowed);
	hw_vmwrite(VMCS_VPID, vp->vpid);
	hw_vmwrite(VMCS_EPTP, p->ept.eptp);
	hw_vmwrite(VMCS_IO_BITMAP_A, hw_virt_to_phys(p->io_bitmap).v);
	hw_vmwrite(VMCS_IO_BITMAP_B, hw_virt_to_phys(p->io_bitmap + 4096).v);
	hw_vmwrite(VMCS_MSR_BITMAP, hw_virt_to_phys(vp->msr_bitmap).v);
	hw_vmwrite(VMCS_APIC_ACCESS_ADDR, p->apic_access_page.v);
	if (m->tpr_shadow) {
		hw_vmwrite(VMCS_VIRTUAL_APIC_ADDR, hw_virt_to_phys(vp->apic.page).v);
		hw_vmwrite(VMCS_TPR_THRESHOLD, 0);
	}
	if (m->virt_intr_delivery) {
		hw_vmwrite(VMCS_EOI_EXIT0, 0);
		hw_vmwrite(VMCS_EOI_EXIT1, 0);
		hw_vmwrite(VMCS_EOI_EXIT2, 0);
		hw_vmwrite(VMCS_EOI_EXIT3, 0);
		hw_vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0);
	}
	if (ctls->proc2 & PROC2_ENABLE_XSAVES)
		hw_vmwrite(VMCS_XSS_EXIT_BITMAP, ~0ull);
	if (ctls->proc2 & PROC2_ENCLS_EXITING)
		hw_vmwrite(VMCS_ENCLS_EXIT_BITMAP, ~0ull);
	vp->work |= VP_WORK_LAUNCH | VP_WORK_EVENT;
}
