/* SPDX-License-Identifier: BSD-2-Clause */
/* The partition's VPs and its ends. Pure. */
#include "core/partition.h"

#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/diag/stop_all.h"
#include "core/hw.h"
#include "core/vp/vp.h"

struct partition the_partition;

struct vp *partition_vp(struct partition *p, u32 index)
{
	return index < p->vp_count ? p->vp[index] : NULL;
}

struct vp *partition_vp_by_apic_id(struct partition *p, u32 apic_id)
{
	if (apic_id < APIC_IDS_DIRECT)
		return p->vp_of_apic_id[apic_id];
	for (u32 i = 0; i < p->vp_count; i++) {
		if (p->vp[i]->apic_id == apic_id)
			return p->vp[i];
	}
	return NULL;
}

void partition_add_vp(struct partition *p, struct vp *vp)
{
	ASSERT(p->vp_count < VP_MAX);
	vp->partition = p;
	vp->index = p->vp_count;
	p->vp[p->vp_count++] = vp;
	if (vp->apic_id < APIC_IDS_DIRECT)
		p->vp_of_apic_id[vp->apic_id] = vp;
}

void partition_drop_last_vp(struct partition *p)
{
	struct vp *vp = p->vp[--p->vp_count];

	overlay_reset(p, vp);
	p->vp[p->vp_count] = NULL;
	if (vp->apic_id < APIC_IDS_DIRECT)
		p->vp_of_apic_id[vp->apic_id] = NULL;
}

void partition_vp_init(struct vp *vp)
{
	if (vp->partition->hooks != NULL)
		vp->partition->hooks->vp_reset(vp, true);
}

void partition_report_vp(struct vp *vp, void (*line)(const char *fmt, ...))
{
	const struct gpr_regs *r = &vp->regs;

	line("VP %u: RIP %04llx:%016llx RSP %016llx RFLAGS %08llx", vp->index,
	     hw_vmread(VMCS_GUEST_CS_SELECTOR), hw_vmread(VMCS_GUEST_RIP),
	     hw_vmread(VMCS_GUEST_RSP), hw_vmread(VMCS_GUEST_RFLAGS));
	line("RAX %016llx RBX %016llx RCX %016llx RDX %016llx", r->rax, r->rbx, r->rcx, r->rdx);
	line("RSI %016llx RDI %016llx RBP %016llx R8  %016llx", r->rsi, r->rdi, r->rbp, r->r8);
	line("R9  %016llx R10 %016llx R11 %016llx R12 %016llx", r->r9, r->r10, r->r11, r->r12);
	line("R13 %016llx R14 %016llx R15 %016llx", r->r13, r->r14, r->r15);
	line("CR0 %08llx CR3 %016llx CR4 %08llx EFER %04llx", hw_vmread(VMCS_GUEST_CR0),
	     hw_vmread(VMCS_GUEST_CR3), hw_vmread(VMCS_GUEST_CR4), hw_vmread(VMCS_GUEST_EFER));
	line("last exit: %s, qualification 0x%llx, guest-physical 0x%llx, linear 0x%llx",
	     exit_reason_name((u32)hw_vmread(VMCS_EXIT_REASON) & EXIT_REASON_BASIC),
	     hw_vmread(VMCS_EXIT_QUALIFICATION), hw_vmread(VMCS_GUEST_PHYSICAL_ADDRESS),
	     hw_vmread(VMCS_GUEST_LINEAR_ADDRESS));
}

void partition_stop(struct vp *vp, const char *why)
{
	struct partition *p = vp->partition;

	p->stopping = true;
	TRACE(vp, GUEST_END, 0, hw_vmread(VMCS_GUEST_RIP), 0);
	stop_all_others();
	log_take_consoles();
	log_error("guest stopped: %s", why);
	stop_all_report(log_info);
	partition_report_vp(vp, log_error);
	stop_all_report_guests(log_info);
	trace_dump(p, TRACE_AT_END, log_info);
	counters_dump(p, why);
	if (p->config.on_crash == ON_CRASH_REBOOT) {
		log_error("rebooting the machine (on_crash=reboot)");
		hw_reboot();
	}
	log_error("the machine is halted (on_crash=halt): reset or power it off");
	hw_halt();
}

void partition_ending(struct vp *vp, const char *why)
{
	log_info("guest ends: %s", why);
	counters_dump(vp->partition, why);
}
