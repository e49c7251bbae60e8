/* SPDX-License-Identifier: BSD-2-Clause */
/* Single-stepping. Pure. */
#include "core/vp/step.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/paging.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/diag/log.h"
#include "core/hw.h"
#include "core/mem/walk.h"
#include "core/partition.h"
#include "core/vp/ctx.h"
#include "core/vp/exception.h"
#include "core/vp/page_wait.h"
#include "core/vp/step_insn.h"
#include "core/vp/vp.h"

#define INSN_BYTES 15u

/* Or a faulting instruction would run on into its handler. #MC belongs to the machine. */
#define STEP_VECTORS (~(u32)(BIT64(EXC_NMI) | BIT64(EXC_MC)))

static enum cs_bits code_size(const struct vp *vp)
{
	if (vp_is_long64(vp))
		return CS_64;
	return (hw_vmread(VMCS_GUEST_CS_AR) & AR_DB) ? CS_32 : CS_16;
}

/* Decode what can be read of the next instruction: all of it, or the part on its first page. */
static struct step_insn next_insn(struct vp *vp)
{
	enum cs_bits cs = code_size(vp);
	u64 at = hw_vmread(VMCS_GUEST_RIP);
	u32 access = WALK_FETCH | walk_user(vp), n = INSN_BYTES;
	struct walk_fault fault;
	u8 code[INSN_BYTES];

	if (cs != CS_64)
		at = (u32)(at + hw_vmread(VMCS_GUEST_CS_BASE));
	if (gva_read_waiting(vp, at, access, code, n, &fault) != ERR_NONE) {
		n = umin32(n, (u32)(PAGE_SIZE - (at & (PAGE_SIZE - 1))));
		if (gva_read_waiting(vp, at, access, code, n, &fault) != ERR_NONE)
			n = 0; /* its fetch faults: nothing to decode */
	}
	return step_insn_decode(code, n, cs);
}

/* SYSCALL and its kin, for which TF will not do: where they lead. False: another instruction. */
static bool find_target(const struct vp *vp, const struct step_insn *in, u64 *target)
{
	switch (in->kind) {
	case INSN_SYSCALL:
		return hw_rdmsr_safe(MSR_IA32_LSTAR, target) == ERR_NONE;
	case INSN_SYSENTER:
		*target = hw_vmread(VMCS_GUEST_SYSENTER_EIP);
		return true;
	case INSN_SYSRET:
		*target = in->opsize == 8 ? vp->regs.rcx : (u32)vp->regs.rcx;
		return true;
	case INSN_SYSEXIT:
		*target = in->opsize == 8 ? vp->regs.rdx : (u32)vp->regs.rdx;
		return true;
	default:
		return false;
	}
}

static void set_tf(bool on)
{
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS) & ~RFLAGS_TF;

	hw_vmwrite(VMCS_GUEST_RFLAGS, rflags | (on ? RFLAGS_TF : 0));
}

/* With DEBUGCTL.BTF the trap would wait for the next branch. */
static void arm_trap(struct step *s)
{
	u64 debugctl = hw_vmread(VMCS_GUEST_DEBUGCTL);

	s->btf = (debugctl & DEBUGCTL_BTF) != 0;
	if (s->btf)
		hw_vmwrite(VMCS_GUEST_DEBUGCTL, debugctl & ~DEBUGCTL_BTF);
	set_tf(true);
}

static void arm_breakpoint(struct step *s, u64 target)
{
	s->dr0 = hw_read_dr(0);
	s->dr7 = hw_vmread(VMCS_GUEST_DR7);
	hw_write_dr(0, target);
	hw_vmwrite(VMCS_GUEST_DR7, DR7_FIXED | DR7_G0); /* execution, one byte */
}

static bool event_waits(const struct vp *vp)
{
	return ((vp->event.info | (u32)hw_vmread(VMCS_VM_ENTRY_INTR_INFO)) & INTR_INFO_VALID) != 0;
}

/* Not in virtual-8086 mode: there INT n may be redirected or fault. Let the CPU do it, with TF. */
static bool is_injected(const struct step_insn *in, u64 rflags)
{
	u32 vector = in->event & INTR_INFO_VECTOR;
	bool is_into = vector == EXC_OF &&
		       FIELD_GET(INTR_INFO_TYPE, in->event) == INTR_TYPE_SOFT_EXCEPTION;

	return in->kind == INSN_INT && !(rflags & RFLAGS_VM) && (!is_into || (rflags & RFLAGS_OF));
}

/* Choose how to step, and set it up. After a delivery only an NMI window can stop the VP. */
static err_t arm(struct vp *vp, struct step *s, bool nmi_window)
{
	u64 rflags = hw_vmread(VMCS_GUEST_RFLAGS), target;
	struct step_insn in = { .kind = INSN_PLAIN };
	bool waits = event_waits(vp);

	if (!waits)
		in = next_insn(vp);
	if ((waits || is_injected(&in, rflags)) && !nmi_window)
		return ERR_NODEV;
	if (waits) {
		s->how = STEP_EVENT;
	} else if (is_injected(&in, rflags)) {
		s->how = STEP_EVENT;
		vp->event.queued = (struct event_queued){ .info = in.event, .len = in.len };
	} else if (find_target(vp, &in, &target)) {
		s->how = STEP_BREAKPOINT;
		arm_breakpoint(s, target);
	} else {
		s->how = STEP_TRAP;
		s->tf = (rflags & RFLAGS_TF) != 0;
		s->loads_tf = in.kind == INSN_LOADS_TF;
		s->pushes_tf = in.kind == INSN_PUSHF;
		arm_trap(s);
	}
	return ERR_NONE;
}

err_t step_begin(struct vp *vp, step_fn done)
{
	struct step *s = &vp->step;
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY);

	if (s->active)
		return ERR_BUSY;
	if (!vp->hold.stopped)
		return ERR_INVAL;
	if (vp->state != VP_RUNNING && !event_waits(vp))
		return ERR_NODEV;
	*s = (struct step){ .done = done, .from = hw_vmread(VMCS_GUEST_RIP) };
	TRY(arm(vp, s, !(blocking & GUEST_INTR_BLOCKED_BY_NMI)));
	/* TF together with STI or MOV SS blocking would fail the entry checks. Clearing the shadow
	 * is harmless: interrupts wait during a step. */
	hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~INTERRUPT_SHADOW);
	if (s->how != STEP_EVENT)
		exc_want(vp, EXC_OWNER_STEP, STEP_VECTORS);
	vlapic_apicv_inhibit(vp, APICV_INHIBIT_REASON_BLOCKIRQ);
	vp->event.stepping = true;
	s->active = true;
	vp_set_work(vp, VP_WORK_EVENT);
	return ERR_NONE;
}

static void take_tf_from_stack(struct vp *vp)
{
	u64 at = hw_vmread(VMCS_GUEST_RSP);
	u32 access = walk_user(vp);
	struct walk_fault fault;
	u8 byte;

	if (!vp_is_long64(vp)) {
		at = (hw_vmread(VMCS_GUEST_SS_AR) & AR_DB) ? (u32)at : (u16)at;
		at = (u32)(at + hw_vmread(VMCS_GUEST_SS_BASE));
	}
	at++; /* bits 15:8 */
	if (gva_read_waiting(vp, at, access, &byte, 1, &fault) != ERR_NONE)
		return;
	byte &= (u8) ~(RFLAGS_TF >> 8);
	if (gva_write_waiting(vp, at, access, &byte, 1, &fault) != ERR_NONE)
		log_guest("vp%u: the flags that a stepped PUSHF has pushed keep TF", vp->index);
}

/* Restore the guest's state, but keep what the instruction itself changed. */
static void disarm(struct vp *vp, bool executed)
{
	struct step *s = &vp->step;

	exc_want(vp, EXC_OWNER_STEP, 0);
	vlapic_apicv_uninhibit(vp, APICV_INHIBIT_REASON_BLOCKIRQ);
	vp->event.stepping = false;
	if (s->how == STEP_BREAKPOINT) {
		hw_write_dr(0, s->dr0);
		hw_vmwrite(VMCS_GUEST_DR7, s->dr7);
	}
	if (s->how != STEP_TRAP)
		return;
	if (!executed || !s->loads_tf)
		set_tf(s->tf);
	if (s->btf)
		hw_vmwrite(VMCS_GUEST_DEBUGCTL, hw_vmread(VMCS_GUEST_DEBUGCTL) | DEBUGCTL_BTF);
	if (executed && s->pushes_tf && !s->tf)
		take_tf_from_stack(vp);
}

static void end(struct vp *vp, enum step_end how)
{
	vp->step.active = false;
	vp_set_work(vp, VP_WORK_HOLD | VP_WORK_EVENT);
	vp->step.done(vp, how);
}

bool step_exception(struct vp *vp, struct exit_info *x)
{
	struct step *s = &vp->step;
	u64 ours = s->how == STEP_TRAP ? DEBUG_QUAL_BS : BIT64(0);

	if ((x->intr_info & INTR_INFO_VECTOR) != EXC_DB || !(x->qual & ours))
		return false; /* the guest's own #DB: step_raised() follows */
	disarm(vp, true);
	end(vp, STEP_DONE);
	if (s->how == STEP_BREAKPOINT)
		return true;
	/* The guest gets its own part of this #DB: breakpoints it has hit, and its own TF. */
	if (!s->tf)
		x->qual &= ~DEBUG_QUAL_BS;
	return !(x->qual & (DEBUG_QUAL_BS | DEBUG_QUAL_B0_B3));
}

bool step_delivers(const struct vp *vp)
{
	return vp->step.how == STEP_EVENT;
}

void step_raised(struct vp *vp)
{
	disarm(vp, false);
	end(vp, STEP_RAISED);
}

void step_window(struct vp *vp)
{
	if (vp->step.how != STEP_EVENT)
		return;
	disarm(vp, true);
	end(vp, STEP_DONE);
}

void step_forget(struct vp *vp)
{
	struct step *s = &vp->step;

	if (!s->active)
		return;
	s->how = STEP_EVENT; /* the registers are fresh: restore nothing */
	disarm(vp, false);
	end(vp, STEP_RESET);
}
