/* SPDX-License-Identifier: BSD-2-Clause */
/* The fixture of entered.h. Context: tests, one thread. */
#include "tests/host/fakes/entered.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"

static void change(struct partition *p)
{
	fake_guest_everything(p);
	p->machine.cr4_allowed = CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_OSFXSR | CR4_SMEP;
	p->machine.xcr0_supported = XCR0_X87 | XCR0_SSE;
	p->machine.virt_intr_delivery = true;
	p->machine.tpr_shadow = true;
}

void fake_guest_entered(struct fake_guest *g, u32 vps)
{
	static const struct vp_ctls ctls;

	fake_guest_init(g, vps, change);
	fake_msr_set(MSR_IA32_KERNEL_GS_BASE, 0);
	fake_msr_set(MSR_IA32_TSC_AUX, 0);
	for (u32 i = MSR_IA32_STAR; i <= MSR_IA32_FMASK; i++)
		fake_msr_set(i, 0);
	for (u32 i = 0; i < vps; i++)
		g->vp[i].entered = true;
	g->p.io_bitmap = g->pages[vps - 1].apic_page; /* any page */
	ctx_fill(&g->vp[0], &ctls);
	fake.vmcs[VMCS_GUEST_CR4] = CR4_VMXE;
	vp_reset(&g->vp[0], false);
	g->vp[0].work = 0;
	fake.vmcs[VMCS_VM_EXIT_INSTRUCTION_LENGTH] = 3;
}
