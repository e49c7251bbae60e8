/* SPDX-License-Identifier: BSD-2-Clause */
/* Exits of instructions that touch CPU state only. Pure. */
#include "core/exit/exit.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/guest_cr.h"
#include "core/vp/vp.h"

/*
 * Poll for work in root until @end_tsc, with physical interrupts enabled (rule I4). True: there is
 * some. A kick needs no handling: its sender has set the work before. A flush wakes nobody.
 */
static bool poll(const struct vp *vp, u64 end_tsc)
{
	u64 now_tsc;

	do {
		hw_irq_window();
		now_tsc = hw_tsc();
		if ((READ_ONCE(vp->work) & ~(u32)VP_WORK_TLB) != 0 ||
		    READ_ONCE(vp->unhalted) != 0 || now_tsc >= vp->deadline_tsc)
			return true;
	} while (now_tsc < end_tsc);
	return false;
}

/*
 * Nothing to deliver: poll for as long as this VP's recent blocks suggest, then sleep. The poll
 * time is adjusted here, at the next HLT, and not at the wake: there it would delay the event.
 */
static ALWAYS_INLINE void block(struct vp *vp, enum vp_run_state state)
{
	const struct partition *p = vp->partition;
	const struct config *c = &p->config;
	struct halt_poll *h = &vp->halt_poll;
	u32 poll_ns;

	if (h->start_tsc != 0) {
		u64 ticks = h->end_tsc - h->start_tsc;

		h->halted_tsc += ticks;
		halt_poll_end(h, c, clock_tsc_to_ns(&p->clock, ticks), true);
	}
	poll_ns = halt_poll_begin(h, c);
	h->start_tsc = hw_tsc();
	vp->state = state;
	/* Pairs with vp_unhalt(), which sets the flag, then reads the state: one of us sees the
	 * other. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	/* vp_prepare_entry() does the work that ended a poll, then decides between wake and sleep.
	 */
	if (poll_ns != 0 && poll(vp, h->start_tsc + clock_ns_to_tsc(&p->clock, poll_ns)))
		vp_set_work(vp, VP_WORK_EVENT);
	else
		event_prepare_entry(vp);
}

static NOINLINE void halt(struct vp *vp)
{
	block(vp, VP_HALTED);
}

/* What ends the wait may be there already: look before the poll. A trap would end it, too. */
void vp_idle(struct vp *vp)
{
	if (vp->event.extint || vp->event.nmis_pending || vlapic_has_request(vp) ||
	    (hw_vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF))
		COUNT(vp, HLT_NO_SLEEP);
	else
		block(vp, VP_IDLE);
}

/* event_prepare_entry() decides whether the VP sleeps: not if something is deliverable (rule
 * K3). */
enum exit_action exit_hlt(struct vp *vp, const struct exit_info *x)
{
	if (unlikely(hw_vmread_hot(VMCS_GUEST_RFLAGS) & RFLAGS_TF)) {
		vp->state = VP_HALTED;
		vp->halt_poll.halted_tsc = halt_poll_halted(&vp->halt_poll);
		vp->halt_poll.start_tsc = 0;
		vp_set_work(vp, VP_WORK_EVENT); /* the #DB of this HLT ends it: after retirement */
		return EXIT_NEXT;
	}
	/* The shadow of STI ends with this instruction, before anything is delivered. */
	hw_vmwrite_hot(VMCS_GUEST_INTERRUPTIBILITY,
		       hw_vmread_hot(VMCS_GUEST_INTERRUPTIBILITY) & ~INTERRUPT_SHADOW);
	event_prepare_entry(vp);
	if (likely(hw_vmread_hot(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VALID)) {
		COUNT(vp, HLT_NO_SLEEP);
		return EXIT_NEXT;
	}
	halt(vp);
	return EXIT_NEXT;
}

/*
 * XSETBV: SDM Vol. 2D. CPL and CR4.OSXSAVE faults take priority over the exit. HW-ERRATUM:
 * Bochs 2.7 exits before it looks at the CPL, hence the check.
 */
enum exit_action exit_xsetbv(struct vp *vp, const struct exit_info *x)
{
	u64 val = edx_eax(&vp->regs);

	if (vp_cpl(vp) != 0 || vp->regs.half[2] != 0 || guest_set_xcr0(vp, val) != ERR_NONE)
		return vp_fault_gp0(vp);
	return EXIT_NEXT;
}

/*
 * INVD would discard dirty lines of the hypervisor, too. Write back instead: a cache may do that at
 * any time, so the guest cannot tell.
 */
enum exit_action exit_invd(struct vp *vp, const struct exit_info *x)
{
	hw_wbinvd();
	return EXIT_NEXT;
}

enum exit_action exit_wbinvd(struct vp *vp, const struct exit_info *x)
{
	hw_wbinvd();
	return EXIT_NEXT;
}

/* Exits while the TSC is emulated. Faults by CR4.TSD, and #UD without RDTSCP, come first. */
enum exit_action exit_rdtsc(struct vp *vp, const struct exit_info *x)
{
	set_edx_eax(&vp->regs, vp_guest_tsc(vp));
	return EXIT_NEXT;
}

enum exit_action exit_rdtscp(struct vp *vp, const struct exit_info *x)
{
	u64 aux = 0;

	if (hw_rdmsr_safe(MSR_IA32_TSC_AUX, &aux) == ERR_NONE) /* the guest's: it passes through */
		vp->regs.rcx = (u32)aux;
	return exit_rdtsc(vp, x);
}

/* PAUSE exits only when a control asks for it: nothing to do on a pinned VP. */
enum exit_action exit_pause(struct vp *vp, const struct exit_info *x)
{
	return EXIT_NEXT;
}

/* An instruction of a feature that the guest is not offered. */
enum exit_action exit_ud(struct vp *vp, const struct exit_info *x)
{
	return vp_fault(vp, EXC_UD);
}

enum exit_action exit_gp(struct vp *vp, const struct exit_info *x)
{
	return vp_fault_gp0(vp);
}

/* An exit whose control is off: a hypervisor bug. */
enum exit_action exit_stop(struct vp *vp, const struct exit_info *x)
{
	return EXIT_STOP;
}
