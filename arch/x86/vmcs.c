/* SPDX-License-Identifier: BSD-2-Clause */
/* The hypervisor's side of a VMCS: the region itself and the host-state area. */
#include "arch/x86/vmx.h"

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/seg.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/vmx_insn.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/vp/vp.h"

/* clang-format off */
/* Flat, no 32-bit segments; SYSENTER is never used in root. */
static const struct {
	enum vmcs_field field;
	u64 value;
} fixed_host[] = {
	{ VMCS_HOST_ES_SELECTOR,          0 },
	{ VMCS_HOST_CS_SELECTOR,          SEL_CODE64 },
	{ VMCS_HOST_SS_SELECTOR,          0 },
	{ VMCS_HOST_DS_SELECTOR,          0 },
	{ VMCS_HOST_FS_SELECTOR,          0 },
	{ VMCS_HOST_GS_SELECTOR,          0 },
	{ VMCS_HOST_TR_SELECTOR,          SEL_TSS },
	{ VMCS_HOST_FS_BASE,              0 },
	{ VMCS_HOST_SYSENTER_CS,     0 },
	{ VMCS_HOST_SYSENTER_ESP,    0 },
	{ VMCS_HOST_SYSENTER_EIP,    0 },
};
/* clang-format on */

/* HOST_RIP after the first exit; the same on every VP. vmenter.S has the one until then. */
static u64 exit_entry;

/* The exit path accesses these without a check (hw_vmread_hot()): a failure here panics with a
 * name. */
static void prove_hot_fields(u64 caps_proc)
{
	(void)vmread(VMCS_EXIT_REASON);
	(void)vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	(void)vmread(VMCS_GUEST_RFLAGS);
	(void)vmread(VMCS_VM_EXIT_INTR_INFO);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, vmread(VMCS_GUEST_INTERRUPTIBILITY));
	(void)vmread(VMCS_GUEST_CS_AR);
	(void)vmread(VMCS_GUEST_SS_AR);
	(void)vmread(VMCS_GUEST_EFER);
	vmwrite(VMCS_GUEST_RIP, vmread(VMCS_GUEST_RIP));
	vmwrite(VMCS_VM_ENTRY_INTR_INFO, 0);
	vmwrite(VMCS_PROC_BASED_CTLS, vmread(VMCS_PROC_BASED_CTLS));
	if (caps_proc & PROC_USE_TPR_SHADOW)
		vmwrite(VMCS_TPR_THRESHOLD, 0);
}

void vmcs_create(struct vp *vp, void *page, const struct vmx_caps *caps, u64 host_rip)
{
	struct percpu *pc = this_cpu();
	hpa_t vmcs = hw_virt_to_phys(page);

	*(u32 *)page = (u32)(caps->basic & VMX_BASIC_REVISION);
	hw_vmcs_clear(vmcs);
	hw_vmcs_load(vmcs);
	vp->ctx->vmcs = vmcs;
	prove_hot_fields(FIELD_GET(VMX_CTLS_ALLOWED1, caps->proc));

	for (size_t i = 0; i < ARRAY_SIZE(fixed_host); i++)
		vmwrite(fixed_host[i].field, fixed_host[i].value);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_GS_BASE, (u64)pc);
	vmwrite(VMCS_HOST_TR_BASE, (u64)&pc->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, (u64)pc->gdt);
	vmwrite(VMCS_HOST_IDTR_BASE, (u64)host_idt);
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_IA32_EFER));
	vmwrite(VMCS_HOST_PAT, rdmsr(MSR_IA32_PAT));
	vmwrite(VMCS_HOST_RSP, (u64)(&vp->regs + 1));
	exit_entry = host_rip;
	vp->host_stack_top = percpu_main_stack_top(pc);
}

void vmcs_launched(struct vp *vp)
{
	(void)__atomic_fetch_and(&vp->work, ~(u32)VP_WORK_LAUNCH, __ATOMIC_RELAXED);
	vp->ctx->launched = true;
	vmwrite(VMCS_HOST_RIP, exit_entry);
}
