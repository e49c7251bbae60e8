/* SPDX-License-Identifier: BSD-2-Clause */
/* The VMCS of a VP, as far as the guest is concerned: controls, then the state of its entry point.
 * Pure. */
#include "core/vp_vmcs.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/guest_cr.h"
#include "core/hw.h"
#include "core/load/load.h"
#include "core/partition.h"
#include "core/vp.h"

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
	vp->window_ctls = p->config.hlt_passthrough ? PROC_HLT_EXITING : 0;
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

/* clang-format off */
#define FLAT_CODE32 (AR_G | AR_DB | AR_P | AR_S | 0xbu)
#define FLAT_CODE64 (AR_G | AR_L | AR_P | AR_S | 0xbu)
#define FLAT_DATA   (AR_G | AR_DB | AR_P | AR_S | 0x3u)

static const struct {
	enum vmcs_field selector, base, limit, ar;
} data_segments[] = {
	{ VMCS_GUEST_ES_SELECTOR, VMCS_GUEST_ES_BASE, VMCS_GUEST_ES_LIMIT, VMCS_GUEST_ES_AR },
	{ VMCS_GUEST_SS_SELECTOR, VMCS_GUEST_SS_BASE, VMCS_GUEST_SS_LIMIT, VMCS_GUEST_SS_AR },
	{ VMCS_GUEST_DS_SELECTOR, VMCS_GUEST_DS_BASE, VMCS_GUEST_DS_LIMIT, VMCS_GUEST_DS_AR },
	{ VMCS_GUEST_FS_SELECTOR, VMCS_GUEST_FS_BASE, VMCS_GUEST_FS_LIMIT, VMCS_GUEST_FS_AR },
	{ VMCS_GUEST_GS_SELECTOR, VMCS_GUEST_GS_BASE, VMCS_GUEST_GS_LIMIT, VMCS_GUEST_GS_AR },
};
/* clang-format on */

#define BOOT_CS 0x10u /* Linux boot protocol: __BOOT_CS, __BOOT_DS */
#define BOOT_DS 0x18u

/* vp_reset() has done the rest. Firmware has switched the caches on. */
static void set_real_mode_entry(const struct load_plan *plan)
{
	hw_vmwrite(VMCS_CR0_READ_SHADOW, CR0_ET);
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, plan->rip >> 4);
	hw_vmwrite(VMCS_GUEST_CS_BASE, plan->rip);
	hw_vmwrite(VMCS_GUEST_RIP, 0);
}

void vp_vmcs_set_entry(struct vp *vp, const struct load_plan *plan)
{
	bool long64 = plan->mode == ENTRY_LONG64;

	if (plan->mode == ENTRY_REAL16)
		return set_real_mode_entry(plan);

	for (size_t i = 0; i < ARRAY_SIZE(data_segments); i++) {
		hw_vmwrite(data_segments[i].selector, BOOT_DS);
		hw_vmwrite(data_segments[i].base, 0);
		hw_vmwrite(data_segments[i].limit, 0xffffffff);
		hw_vmwrite(data_segments[i].ar, FLAT_DATA);
	}
	hw_vmwrite(VMCS_GUEST_CS_SELECTOR, BOOT_CS);
	hw_vmwrite(VMCS_GUEST_CS_BASE, 0);
	hw_vmwrite(VMCS_GUEST_CS_LIMIT, 0xffffffff);
	hw_vmwrite(VMCS_GUEST_CS_AR, long64 ? FLAT_CODE64 : FLAT_CODE32);
	hw_vmwrite(VMCS_GUEST_GDTR_BASE, plan->gdt_base);
	hw_vmwrite(VMCS_GUEST_GDTR_LIMIT, plan->gdt_limit);
	hw_vmwrite(VMCS_GUEST_IDTR_LIMIT, 0);
	hw_vmwrite(VMCS_GUEST_CR0, CR0_PE | CR0_ET | CR0_NE | (long64 ? CR0_PG : 0));
	hw_vmwrite(VMCS_CR0_READ_SHADOW, CR0_PE | CR0_ET | (long64 ? CR0_PG | CR0_NE : 0));
	hw_vmwrite(VMCS_GUEST_CR3, plan->cr3);
	if (long64) {
		hw_vmwrite(VMCS_GUEST_CR4, CR4_VMXE | CR4_PAE);
		hw_vmwrite(VMCS_CR4_READ_SHADOW, CR4_PAE);
		hw_vmwrite(VMCS_GUEST_EFER, EFER_LME | EFER_LMA);
		hw_vmwrite(VMCS_VM_ENTRY_CTLS,
			   hw_vmread(VMCS_VM_ENTRY_CTLS) | ENTRY_CTL_IA32E_GUEST);
	}
	hw_vmwrite(VMCS_GUEST_RIP, plan->rip);
	hw_vmwrite(VMCS_GUEST_RSP, plan->rsp);
	vp->regs = (struct gpr_regs){ .rax = plan->rax, .rbx = plan->rbx, .rsi = plan->rsi };
}
