/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * EPT violations and misconfigurations: rules M1, M1b and I8. VP's CPU.
 *
 * Spec: SDM Vol. 3C, "EPT Violations", "Exit Qualification for EPT Violations".
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "core/diag/counters.h"
#include "core/diag/log.h"
#include "core/emul/emul.h"
#include "core/exit/exit.h"
#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/mem/ept.h"
#include "core/mem/page_class.h"
#include "core/partition.h"
#include "core/vp/vp.h"

static u64 ones_read(struct vp *vp, u64 gpa, u32 size)
{
	return ~0ull;
}

static void ones_write(struct vp *vp, u64 gpa, u32 size, u64 val)
{
}

static const struct emul_mem ones_mem = { .read = ones_read, .write = ones_write };

/* Also true of a scratch page that replaces a page of the region. */
static bool is_in_region(const struct partition *p, u64 gpa)
{
	u64 end;

	return page_ground_at(p, ALIGN_DOWN(gpa, PAGE_SIZE), &end) == PAGE_REGION;
}

/*
 * The exit interrupted an IRET that had already unblocked NMIs. It restarts: block them again. SDM
 * "Information About NMI Unblocking Due to IRET".
 */
static void restore_nmi_blocking(u64 qual)
{
	if (!(qual & EPT_QUAL_NMI_UNBLOCKING))
		return;
	if (hw_vmread(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID)
		return; /* then the bit is undefined */
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY,
		   hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) | GUEST_INTR_BLOCKED_BY_NMI);
}

static enum exit_action restart(u64 qual)
{
	restore_nmi_blocking(qual);
	if (!(qual & EPT_QUAL_ASYNC))
		exit_restart();
	return EXIT_RESUME;
}

static enum exit_action stop_with_report(struct vp *vp, const struct exit_info *x, const char *what)
{
	struct ept_leaf leaf = ept_walk(&vp->partition->ept, gpa(x->gpa));

	log_error("%s: gpa 0x%llx gla 0x%llx qualification 0x%llx rip 0x%llx", what, x->gpa, x->gla,
		  x->qual, hw_vmread(VMCS_GUEST_RIP));
	log_error("EPT there: hpa 0x%llx permissions 0x%llx type %u size 0x%llx", leaf.hpa.v,
		  leaf.perms, leaf.type, leaf.size);
	return EXIT_STOP;
}

/* Rules M1, M1b: an address that nothing answers reads FF FF, an undefined opcode. */
static enum exit_action fetch_violation(struct vp *vp, const struct exit_info *x)
{
	TRACE(vp, FETCH, is_in_region(vp->partition, x->gpa), x->gpa, 0);
	if (is_in_region(vp->partition, x->gpa)) {
		COUNT(vp, REGION_FETCH);
	} else {
		COUNT(vp, MMIO_FETCH);
		log_guest(
			"guest fetches instructions from device memory at 0x%llx, rip 0x%llx: #UD",
			x->gpa, hw_vmread(VMCS_GUEST_RIP));
	}
	return vp_fault(vp, EXC_UD);
}

/* False for the CPU's own page walk. */
static bool is_linear_access(u64 qual)
{
	return (qual & EPT_QUAL_GLA_VALID) && (qual & EPT_QUAL_GLA_IS_TRANSLATION) &&
	       !(qual & EPT_QUAL_ASYNC);
}

static bool is_delivery(void)
{
	return (hw_vmread(VMCS_IDT_VECTORING_INFO) & INTR_INFO_VALID) != 0;
}

/* Else there is no instruction at RIP to emulate. */
static bool is_instruction_access(u64 qual)
{
	return is_linear_access(qual) && !is_delivery();
}

static enum exit_action unexpected(struct vp *vp, const struct exit_info *x)
{
	return stop_with_report(vp, x, "unexpected EPT violation");
}

/* Rules M1, I8: reads see all-ones through EPT; a write is dropped, or gets private memory to go
 * to. */
static enum exit_action ones_violation(struct vp *vp, const struct exit_info *x)
{
	bool in_region = is_in_region(vp->partition, x->gpa);
	enum exit_action action;

	if (!(x->qual & EPT_QUAL_WRITE))
		return unexpected(vp, x);
	if (!in_region)
		COUNT(vp, APIC_WINDOW);
	if (is_instruction_access(x->qual)) {
		action = emul_execute(vp, x->gpa, &ones_mem);
		if (action == EXIT_RETRY)
			return action;
		if (action != EXIT_UNHANDLED) {
			TRACE(vp, REGION_WRITE, true, x->gpa, 0);
			if (in_region)
				COUNT(vp, REGION_WRITE_DROPPED);
			return action;
		}
	}
	if (ept_map_scratch(vp->partition, gpa(x->gpa)) != ERR_NONE)
		return stop_with_report(vp, x, "no memory for a scratch page (rule M1)");
	COUNT(vp, REGION_WRITE_SCRATCH);
	TRACE(vp, REGION_WRITE, false, x->gpa, 0);
	return restart(x->qual);
}

static enum exit_action emulated_access(struct vp *vp, const struct exit_info *x)
{
	const struct emul_mem *mem = emulated_at(vp->partition, x->gpa);
	enum exit_action action;

	/* A stack, or a table that delivery reads: NEEDS_VECTOR has queued the event. */
	if (is_linear_access(x->qual) && is_delivery() && emul_deliver(vp) != ERR_NODEV)
		return EXIT_RESUME;
	if (!is_instruction_access(x->qual))
		return stop_with_report(vp, x, "page table or event delivery in an emulated page");
	action = emul_execute(vp, x->gpa, mem);
	if (action != EXIT_UNHANDLED)
		return action;
	log_guest("an instruction on the emulated page at 0x%llx is not emulated: #UD, rip 0x%llx",
		  x->gpa, hw_vmread(VMCS_GUEST_RIP));
	return vp_fault(vp, EXC_UD);
}

/* Without an APIC-access page in the CPU. */
static enum exit_action apic_violation(struct vp *vp, const struct exit_info *x)
{
	if (!is_instruction_access(x->qual))
		return stop_with_report(vp, x, "page table or event delivery on the APIC page");
	return exit_apic_page(vp, (u32)(x->gpa & (PAGE_SIZE - 1)));
}

/* SPEED(own-apic-page): register accesses in xAPIC mode do not search what is there. */
static bool is_own_apic_page(const struct vp *vp, u64 gpa)
{
	const struct overlay *o = &vp->apic.overlay;

	return o->perms == 0 && o->place == (ALIGN_DOWN(gpa, PAGE_SIZE) | 1);
}

/* Another CPU has mapped it meanwhile, and perhaps recycled it again: just retry the access. */
static bool is_mapped_meanwhile(struct partition *p, const struct exit_info *x)
{
	u64 wanted = x->qual & (EPT_QUAL_READ | EPT_QUAL_WRITE | EPT_QUAL_FETCH);
	u64 perms = ept_walk(&p->ept, gpa(x->gpa)).perms, end;

	if (p->vp_count == 1 || wanted == 0)
		return false;
	if (!ept_is_built(&p->ept, gpa(x->gpa)))
		perms = page_class[page_ground_at(p, x->gpa, &end)].perms;
	return (wanted & ~perms) == 0;
}

/* Another CPU moves overlays, and none was in the way when @kind was asked for: look again between
 * two moves. */
static bool has_moved(struct partition *p, const struct exit_info *x, enum page_kind kind)
{
	bool moved;

	spin_lock(&p->ept.lock);
	moved = is_mapped_meanwhile(p, x) || !page_is(p, x->gpa, kind);
	spin_unlock(&p->ept.lock);
	return moved;
}

/* Above the machine's physical addresses: to the guest a page-table entry with reserved bits
 * set. */
static enum exit_action beyond_machine(struct vp *vp, const struct exit_info *x)
{
	u32 code = PFEC_P | PFEC_RSVD;

	if (!(x->qual & EPT_QUAL_GLA_VALID))
		return stop_with_report(vp, x, "guest access beyond the machine's addresses");
	if (x->qual & EPT_QUAL_WRITE)
		code |= PFEC_W;
	if (x->qual & EPT_QUAL_FETCH)
		code |= PFEC_I;
	if (vp_cpl(vp) == 3)
		code |= PFEC_U;
	return vp_fault_page(vp, x->gla, code);
}

/*
 * A write to a page of ours that the guest may not write is #GP(0), as the ABI that has such pages
 * says. So is a fetch from one that it may not execute, and what the CPU itself stores there: a
 * page table's accessed bit, a frame of an event.
 */
static enum exit_action overlay_violation(struct vp *vp, const struct exit_info *x)
{
	return x->qual & EPT_QUAL_ASYNC ? unexpected(vp, x) : vp_fault_gp0(vp);
}

/* A column of page_class[], kept here; the classes without a row stop the guest. Fetches have an
 * answer of their own, but for overlays and beyond the machine. */
static const exit_fn violation[PAGE_KINDS] = {
	[PAGE_REGION] = ones_violation,     [PAGE_WINDOW] = ones_violation,
	[PAGE_EMULATED] = emulated_access,  [PAGE_APIC] = apic_violation,
	[PAGE_OVERLAY] = overlay_violation, [PAGE_ABSENT] = beyond_machine,
};

static exit_fn answer_of(enum page_kind kind)
{
	return violation[kind] != NULL ? violation[kind] : unexpected;
}

enum exit_action exit_ept_violation(struct vp *vp, const struct exit_info *x)
{
	struct partition *p = vp->partition;
	enum page_kind kind;
	err_t err;
	u64 end;

	TRACE(vp, EPT_VIOLATION, 0, x->gpa, x->qual);
	if (is_own_apic_page(vp, x->gpa) && !(x->qual & EPT_QUAL_FETCH))
		return apic_violation(vp, x);
	err = ept_map_lazy(p, gpa(x->gpa));
	if (err == ERR_NONE || (err == ERR_BUSY && is_mapped_meanwhile(p, x)))
		return restart(x->qual);
	if (err == ERR_AGAIN) {
		restore_nmi_blocking(x->qual);
		return EXIT_RETRY;
	}
	if (err == ERR_NOMEM)
		return stop_with_report(vp, x, "no memory for EPT tables");
	kind = page_kind_at(p, x->gpa, &end);
	if (violation[kind] == NULL && has_moved(p, x, kind))
		return restart(x->qual);
	if (kind != PAGE_ABSENT && kind != PAGE_OVERLAY && (x->qual & EPT_QUAL_FETCH))
		return fetch_violation(vp, x);
	return answer_of(kind)(vp, x);
}

enum exit_action exit_ept_misconfig(struct vp *vp, const struct exit_info *x)
{
	return stop_with_report(vp, x, "EPT misconfiguration (a bug of the hypervisor)");
}
