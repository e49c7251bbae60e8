/* SPDX-License-Identifier: BSD-2-Clause */
/* See vp_dump.h. Pure. */
#include "core/diag/vp_dump.h"

#include "arch/x86/defs/vmcs.h"
#include "core/hw.h"
#include "core/vp/vp.h"

static u64 field(enum vmcs_field f)
{
	u64 val = 0;

	return hw_vmread_safe(f, &val) == ERR_NONE ? val : 0;
}

void vp_dump_state(const struct vp *vp, dump_line_fn line)
{
	line("guest of vp%u: rip %04llx:%016llx rsp %016llx rflags %08llx", vp->index,
	     field(VMCS_GUEST_CS_SELECTOR), field(VMCS_GUEST_RIP), field(VMCS_GUEST_RSP),
	     field(VMCS_GUEST_RFLAGS));
	line("  cr0 %08llx cr3 %llx cr4 %08llx efer %llx, last exit %s (0x%llx)",
	     field(VMCS_GUEST_CR0), field(VMCS_GUEST_CR3), field(VMCS_GUEST_CR4),
	     field(VMCS_GUEST_EFER),
	     exit_reason_name((u32)field(VMCS_EXIT_REASON) & EXIT_REASON_BASIC),
	     field(VMCS_EXIT_QUALIFICATION));
}

void vp_dump_registers(const struct vp *vp, dump_line_fn line)
{
	const struct gpr_regs *r = &vp->regs;

	line("guest registers of vp%u (state %d, work 0x%x):", vp->index, (int)vp->state, vp->work);
	line("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", r->rax, r->rbx, r->rcx, r->rdx);
	line("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", r->rsi, r->rdi, r->rbp, r->r8);
	line("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx", r->r9, r->r10, r->r11, r->r12);
	line("  r13 %016llx r14 %016llx r15 %016llx", r->r13, r->r14, r->r15);
	line("  last EPT violation: guest-physical %llx linear %llx",
	     field(VMCS_GUEST_PHYSICAL_ADDRESS), field(VMCS_GUEST_LINEAR_ADDRESS));
}
