/* SPDX-License-Identifier: BSD-2-Clause */
/* Event injection: priorities, merge rules, windows, sleep. Pure. */
#include "core/vp/event.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "arch/x86/defs/vmcs.h"
#include "core/apic/lazy_eoi.h"
#include "core/hw.h"
#include "core/partition.h"
#include "core/vp/step.h"
#include "core/vp/vp.h"

/* An entry that delivers one in real mode fails: SDM "Checks on VM-Entry Control Fields". */
static bool pushes_error_code(void)
{
	return (hw_vmread(VMCS_GUEST_CR0) & CR0_PE) != 0;
}

static u32 intr_info(enum intr_type type, u8 vector, bool has_code)
{
	return INTR_INFO_VALID | (u32)FIELD_PREP(INTR_INFO_TYPE, type) | vector |
	       (has_code ? INTR_INFO_ERROR_CODE_VALID : 0);
}

static bool is_exception(u32 info)
{
	u64 type = FIELD_GET(INTR_INFO_TYPE, info);

	return type == INTR_TYPE_HARD_EXCEPTION || type == INTR_TYPE_SOFT_EXCEPTION ||
	       type == INTR_TYPE_PRIV_SOFT_EXCEPTION;
}

static void queue(struct vp *vp, u32 info, u32 error)
{
	vp->event.info = info;
	vp->event.error = error;
	vp->event.len = 0;
	vp_set_work(vp, VP_WORK_EVENT);
}

/* Merge with the queued event, whose delivery the exit interrupted. False: it is #DF or a triple
 * fault. */
static bool merge_with_queued(struct vp *vp, u8 vector)
{
	struct event_state *ev = &vp->event;
	u8 first = (u8)(ev->info & INTR_INFO_VECTOR);

	if (!is_exception(ev->info)) {
		/* An NMI is not lost; an acknowledged interrupt is, as on hardware. */
		if (FIELD_GET(INTR_INFO_TYPE, ev->info) == INTR_TYPE_NMI)
			ev->nmis_pending++; /* was in service: then at most one waits */
		return true;
	}
	switch (exception_merge(first, vector)) {
	case EXC_MERGE_SERIAL:
		return true;
	case EXC_MERGE_DOUBLE_FAULT:
		COUNT(vp, DOUBLE_FAULT);
		TRACE(vp, DOUBLE_FAULT, first, hw_vmread(VMCS_GUEST_RIP), 0);
		queue(vp, intr_info(INTR_TYPE_HARD_EXCEPTION, EXC_DF, pushes_error_code()), 0);
		return false;
	case EXC_MERGE_SHUTDOWN:
		ev->triple_fault = true;
		ev->info = 0;
		vp_set_work(vp, VP_WORK_EVENT);
		return false;
	}
	return true;
}

void event_exception(struct vp *vp, u8 vector, bool has_code, u32 code)
{
	COUNT(vp, EXC_INJECTED);
	TRACE(vp, EXCEPTION, vector, hw_vmread(VMCS_GUEST_RIP), code);
	if (vp->event.triple_fault)
		return;
	if ((vp->event.info & INTR_INFO_VALID) && !merge_with_queued(vp, vector))
		return;
	if (exception_sets_rf(vector))
		hw_vmwrite(VMCS_GUEST_RFLAGS, hw_vmread(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
	queue(vp, intr_info(INTR_TYPE_HARD_EXCEPTION, vector, has_code && pushes_error_code()),
	      code);
}

/*
 * What blocks interrupts and NMIs.
 * HW-ERRATUM: Bochs 2.7 keeps virtual NMIs blocked through VM entries that say they are not, until
 * the guest's next IRET, and reports it at each exit. After an INIT in an NMI handler none comes.
 */
static u64 read_blocking(const struct vp *vp)
{
	u64 blocking = hw_vmread(VMCS_GUEST_INTERRUPTIBILITY);

	return unlikely(vp->event.nmi_unblocked) ? blocking & ~(u64)GUEST_INTR_BLOCKED_BY_NMI
						 : blocking;
}

static bool is_nmi(u64 info)
{
	return (info & INTR_INFO_VALID) && FIELD_GET(INTR_INFO_TYPE, info) == INTR_TYPE_NMI;
}

/* Its handler runs, or it is on its way: queued again, or committed for the next entry. */
static bool is_nmi_in_service(const struct vp *vp)
{
	return (read_blocking(vp) & GUEST_INTR_BLOCKED_BY_NMI) || is_nmi(vp->event.info) ||
	       is_nmi(hw_vmread(VMCS_VM_ENTRY_INTR_INFO));
}

void event_nmi(struct vp *vp)
{
	if (vp->event.nmis_pending < (is_nmi_in_service(vp) ? 1 : 2))
		vp->event.nmis_pending++;
	vp_set_work(vp, VP_WORK_EVENT);
}

/* Not inlined: the usual exit then needs no stack frame. */
static NOINLINE void deliver_again(struct vp *vp, u32 info)
{
	u64 type = FIELD_GET(INTR_INFO_TYPE, info);

	COUNT(vp, EVENT_REINJECTED);
	TRACE(vp, REINJECT, info, hw_vmread(VMCS_GUEST_RIP), 0);
	queue(vp,
	      info & (INTR_INFO_VALID | INTR_INFO_TYPE | INTR_INFO_VECTOR |
		      INTR_INFO_ERROR_CODE_VALID),
	      (u32)hw_vmread(VMCS_IDT_VECTORING_ERROR_CODE));
	if (type == INTR_TYPE_SOFT_INT || type == INTR_TYPE_SOFT_EXCEPTION ||
	    type == INTR_TYPE_PRIV_SOFT_EXCEPTION)
		vp->event.len = (u32)hw_vmread(VMCS_VM_EXIT_INSTRUCTION_LENGTH);
	if (type == INTR_TYPE_NMI) /* rule K2b: or this NMI would block its own injection */
		hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, hw_vmread(VMCS_GUEST_INTERRUPTIBILITY) &
								~(u64)GUEST_INTR_BLOCKED_BY_NMI);
}

void event_vectoring(struct vp *vp)
{
	u32 info = (u32)hw_vmread(VMCS_IDT_VECTORING_INFO);

	if (info & INTR_INFO_VALID)
		deliver_again(vp, info);
}

static void inject(u32 info)
{
	hw_vmwrite(VMCS_VM_ENTRY_INTR_INFO, info);
}

/* An exception, or what an exit interrupted: goes first, whatever blocks interrupts. */
static void inject_queued(struct event_state *ev)
{
	inject(ev->info);
	if (ev->info & INTR_INFO_ERROR_CODE_VALID)
		hw_vmwrite(VMCS_VM_ENTRY_EXCEPTION_ERROR_CODE, ev->error);
	if (ev->len != 0)
		hw_vmwrite(VMCS_VM_ENTRY_INSTRUCTION_LENGTH, ev->len);
	ev->info = 0;
}

/* The guest takes @vector now. */
static NOINLINE void auto_eoi(struct vp *vp, u32 vector)
{
	if (!vlapic_has_auto_eoi(&vp->apic, vector))
		return;
	COUNT(vp, AUTO_EOI);
	vlapic_eoi(vp); /* of this one: it is the highest */
}

/* The interrupt that the guest takes now; -1: none. Commits it in the virtual APIC or the FIFO. */
static s32 take_interrupt(struct vp *vp, bool asleep)
{
	s32 vector;

	if (vp->event.extint)
		return extint_take(vp);
	if (vp->apic.vid && !asleep)
		return -1; /* the CPU evaluates RVI itself */
	vector = vlapic_pending_vector(vp);
	if (vector >= 0) {
		vlapic_accept(vp, (u8)vector);
		if (vp->apic.special_eoi) {
			if (unlikely(vp->apic.auto_eoi))
				auto_eoi(vp, (u32)vector);
			else if (vp->apic.highest_irr < 0)
				lazy_eoi_arm(vp, (u32)vector);
		}
	}
	return vector;
}

/* An interrupt waits that the CPU will not deliver by itself. */
static bool interrupt_waits(struct vp *vp)
{
	return vp->event.extint || (!vp->apic.vid && vlapic_pending_vector(vp) >= 0);
}

/*
 * Ask for an exit as soon as the guest can take an interrupt, or an NMI. SPEED(windows-unchanged):
 * usually nothing changes; the word is loaded twice so that this check is one test of memory.
 */
static inline void set_windows(struct vp *vp, bool interrupt, bool nmi)
{
	struct vcpu_ctx *ctx = vp->ctx;
	u32 want = (interrupt ? PROC_INTERRUPT_WINDOW_EXITING : 0) |
		   (nmi ? PROC_NMI_WINDOW_EXITING : 0);
	u32 ctls;

	if (likely((ctx->word[CTX_PROC] &
		    (PROC_INTERRUPT_WINDOW_EXITING | PROC_NMI_WINDOW_EXITING)) == want))
		return;
	ctls = READ_ONCE(ctx->word[CTX_PROC]) & ctx->windows_keep;
	ctls |= (interrupt ? ctx->window_open : 0) | (nmi ? PROC_NMI_WINDOW_EXITING : 0);
	ctx->word[CTX_PROC] = ctls;
	hw_vmwrite_hot(VMCS_PROC_BASED_CTLS, ctls);
}

/*
 * Sleep in activity state HLT until something can be delivered. With IF = 0 only an NMI would end
 * the sleep, but every wake must be an exit, so the VMCS has IF = 1 meanwhile (rule K3). Turn
 * virtual-interrupt delivery off, or the CPU would use that IF to deliver what is in RVI.
 */
static void enter_sleep(struct vp *vp, u64 rflags)
{
	if (!vp->asleep)
		COUNT(vp, HLT);
	vp->asleep = true;
	vp_park(vp);
	if (!(rflags & RFLAGS_IF)) {
		vp->event.if_aside = true;
		vlapic_apicv_inhibit(vp, APICV_INHIBIT_REASON_BLOCKIRQ);
		hw_vmwrite(VMCS_GUEST_RFLAGS, rflags | RFLAGS_IF);
	}
	hw_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_HLT);
	set_windows(vp, false, false);
}

/* If @vp was asleep, the activity state in the VMCS is HLT still; the caller ends that. */
static void wake(struct vp *vp)
{
	struct halt_poll *h = &vp->halt_poll;

	vp->state = VP_RUNNING;
	vp->unhalted = 0;
	h->end_tsc = hw_tsc(); /* the next halt learns from it: here every instruction is latency */
	if (vp->asleep) {
		if (unlikely(h->polled))
			COUNT(vp, HALT_POLL_FAIL);
	} else if (h->polled) {
		COUNT(vp, HALT_POLL_OK);
	} else {
		COUNT(vp, HLT_NO_SLEEP);
	}
	vp->asleep = false;
	vp_resume(vp);
}

static void wake_now(struct vp *vp)
{
	bool asleep = vp->asleep;

	wake(vp);
	if (asleep)
		hw_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
}

/* May a halted VP go on? @rflags and @blocking are the guest's. */
static ALWAYS_INLINE bool is_wake_due(struct vp *vp, u64 rflags, u64 blocking)
{
	if (READ_ONCE(vp->unhalted) != 0)
		return true;
	if (vp->event.nmis_pending && !(blocking & GUEST_INTR_BLOCKED_BY_NMI))
		return true;
	if ((rflags & RFLAGS_IF) && (vp->event.extint || vlapic_pending_vector(vp) >= 0))
		return true;
	/* A HLT that was stepped over. Who has TF clear need not ask the VMCS: an outer exit. */
	return (rflags & RFLAGS_TF) &&
	       (hw_vmread(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DBG_BS) != 0;
}

/* The rest of it: for a VP that waits for a SIPI only INIT and SIPI matter, vp_run.c. */
static NOINLINE bool is_other_block_over(struct vp *vp, u64 rflags, u64 blocking)
{
	return vp->state == VP_IDLE &&
	       (vp->event.extint || vlapic_has_request(vp) || is_wake_due(vp, rflags, blocking));
}

/* May a VP that does not run go on? */
static inline bool is_block_over(struct vp *vp, u64 rflags, u64 blocking)
{
	if (likely(vp->state == VP_HALTED))
		return is_wake_due(vp, rflags, blocking);
	return is_other_block_over(vp, rflags, blocking);
}

static NOINLINE void prepare_other(struct vp *vp)
{
	if (vp->event.extint)
		extint_wait(vp);
	if (vp->event.tell_running)
		vp->partition->hooks->running(vp);
	vp->event.tell_running = false;
}

/*
 * Ask for the windows that what still waits needs. In the shadow of STI a CPU may open the window
 * for NMIs although none can be injected there (SDM Vol. 3C "Other Causes of VM Exits"): the guest
 * would exit before the same instruction for ever. IF is 1 there, so the interrupt window opens as
 * soon as the shadow ends.
 */
static NOINLINE void ask_for_windows(struct vp *vp, u64 blocking)
{
	bool nmi = vp->event.nmis_pending != 0;
	bool shadow = nmi && (blocking & (GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_NMI)) ==
				     GUEST_INTR_BLOCKED_BY_STI;

	if (vp->event.other)
		prepare_other(vp);
	set_windows(vp, shadow || interrupt_waits(vp), nmi && !shadow);
}

/*
 * NMI, ExtINT and virtual APIC, in this order. @asleep: the activity state in the VMCS is HLT.
 * After an entry that injects the CPU is active whatever the field says, and the next exit stores
 * that (SDM Vol. 3C "Activity State"): then no write of the field is needed, which is an exit where
 * there is an outer hypervisor.
 */
static void deliver_events(struct vp *vp, u64 rflags, u64 blocking, bool asleep)
{
	struct event_state *ev = &vp->event;

	if (ev->nmis_pending && !(blocking & (INTERRUPT_SHADOW | GUEST_INTR_BLOCKED_BY_NMI))) {
		ev->nmis_pending--;
		if (unlikely(ev->nmi_unblocked)) { /* rule K2b: inject, ask for no window */
			ev->nmi_unblocked = false;
			hw_vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking);
		}
		COUNT(vp, NMI_INJECTED);
		TRACE(vp, NMI, 0, 0, 0);
		inject(intr_info(INTR_TYPE_NMI, EXC_NMI, false));
		asleep = false;
	} else if ((rflags & RFLAGS_IF) && !(blocking & INTERRUPT_SHADOW)) {
		s32 vector = take_interrupt(vp, asleep);

		if (vector >= 0) {
			COUNT(vp, IRQ_INJECTED);
			inject(intr_info(INTR_TYPE_EXTERNAL, (u8)vector, false));
			asleep = false;
		}
	}
	if (unlikely(asleep))
		hw_vmwrite(VMCS_GUEST_ACTIVITY_STATE, ACTIVITY_ACTIVE);
	if (unlikely(ev->rare))
		return ask_for_windows(vp, blocking);
	set_windows(vp, !vp->apic.vid && vlapic_pending_vector(vp) >= 0, false);
}

/*
 * One instruction, or the delivery of one event, is being stepped: interrupts and NMIs wait. NMI
 * windows open right behind a delivery, before the handler's first instruction.
 */
static void prepare_step(struct vp *vp)
{
	struct event_state *ev = &vp->event;
	bool delivers = step_delivers(vp);

	if (vp->apic.tpr_shadow)
		ctx_set(vp->ctx, CTX_TPR_THRESHOLD, vlapic_tpr_threshold(vp));
	if (vp_is_halted(vp)) /* stepped over HLT: its trap is pending */
		wake_now(vp);
	if ((ev->info & INTR_INFO_VALID) && !delivers)
		return step_raised(vp);
	if (ev->info & INTR_INFO_VALID)
		inject_queued(ev);
	set_windows(vp, false, delivers);
}

static NOINLINE void prepare_special(struct vp *vp)
{
	if (!vp->event.triple_fault)
		return prepare_step(vp);
	COUNT(vp, TRIPLE_FAULT);
	TRACE(vp, TRIPLE_FAULT, 0, hw_vmread(VMCS_GUEST_RIP), 0);
	partition_stop(vp, "triple fault");
}

/* The long way: everything but a single interrupt for a running VP. */
static NOINLINE void prepare_event(struct vp *vp)
{
	struct event_state *ev = &vp->event;
	u64 blocking, rflags;
	bool asleep = false;

	lazy_eoi_sync(vp);
	if (unlikely(ev->special))
		return prepare_special(vp);
	if (vp->apic.tpr_shadow)
		ctx_set(vp->ctx, CTX_TPR_THRESHOLD, vlapic_tpr_threshold(vp));
	rflags = hw_vmread(VMCS_GUEST_RFLAGS);
	blocking = read_blocking(vp);
	/* Rule K1: an entry abandoned in its window has its injection committed already. */
	if (hw_vmread(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VALID) {
		ask_for_windows(vp, 0);
		return;
	}
	if (ev->info & INTR_INFO_VALID) {
		if (vp_is_halted(vp))
			wake_now(vp);
		inject_queued(ev);
		ask_for_windows(vp, 0);
		return;
	}
	if (vp->state != VP_RUNNING) {
		if (vp->event.if_aside)
			rflags &= ~RFLAGS_IF;
		if (!is_block_over(vp, rflags, blocking)) {
			enter_sleep(vp, rflags);
			return;
		}
		vp_restore_if(vp);
		asleep = vp->asleep;
		wake(vp);
	}
	deliver_events(vp, rflags, blocking, asleep);
}

/* SPEED(only-request): vlapic_accept() and the injection, with nothing else in service. */
static ALWAYS_INLINE void take_only_request(struct vp *vp, u32 vector)
{
	struct vlapic *a = &vp->apic;

	irq_accept(a->page, vector);
	a->highest_irr = -1;
	a->highest_isr = (s32)vector;
	COUNT(vp, IRQ_INJECTED);
	hw_vmwrite_hot(VMCS_VM_ENTRY_INTR_INFO, INTR_INFO_VALID | vector);
}

/* A running VP with at most one request and nothing in service; else the long way. @lazy: its EOI
 * may be lazy. */
static ALWAYS_INLINE void prepare_usual(struct vp *vp, bool lazy)
{
	const struct vlapic *a = &vp->apic;
	s32 vector = a->highest_irr;

	if (vector < 0)
		return set_windows(vp, false, false);
	if (unlikely(a->highest_isr >= 0) ||
	    unlikely(vector <= (s32)(vlapic_reg(a, APIC_TPR) | 0xf)))
		return prepare_event(vp);
	if (!(hw_vmread_hot(VMCS_GUEST_RFLAGS) & RFLAGS_IF) ||
	    (hw_vmread_hot(VMCS_GUEST_INTERRUPTIBILITY) & INTERRUPT_SHADOW))
		return set_windows(vp, true, false);
	if (unlikely(hw_vmread_hot(VMCS_VM_ENTRY_INTR_INFO) & INTR_INFO_VALID))
		return prepare_event(vp);
	take_only_request(vp, (u32)vector);
	if (lazy && a->lazy_eoi)
		lazy_eoi_arm(vp, (u32)vector);
	set_windows(vp, false, false);
}

/*
 * The unusual modes that are frequent all the same: virtual-interrupt delivery and lazy EOI. Every
 * case that prepare_usual() decides by itself needs a TPR threshold of 0. SPEED(threshold-mask):
 * the mask makes that one test of memory.
 */
static NOINLINE void prepare_unusual(struct vp *vp)
{
	const struct vlapic *a = &vp->apic;

	if (a->vid)
		return set_windows(vp, false, false); /* the CPU evaluates RVI itself */
	if (a->many != 0 || (vp->ctx->word[CTX_TPR_THRESHOLD] & TPR_THRESHOLD_CLASS) != 0)
		return prepare_event(vp);
	lazy_eoi_sync(vp);
	prepare_usual(vp, true);
}

/*
 * SPEED(event-usual): most exits have nothing to deliver, or one interrupt.
 * SPEED(event-unusual): the same where the CPU has a TPR shadow, or EOIs may be lazy.
 * SPEED(rare-word), SPEED(unusual-word): many flags are one test.
 */
NOINLINE void event_prepare_entry(struct vp *vp)
{
	if (unlikely(vp->event.info | vp->event.rare) || unlikely(vp->state != VP_RUNNING))
		return prepare_event(vp);
	if (unlikely(vp->apic.unusual))
		return prepare_unusual(vp);
	prepare_usual(vp, false);
}

void event_reset(struct vp *vp, bool nmi_blocked)
{
	nmi_blocked |= vp->event.nmi_unblocked; /* a second INIT in a row */
	vp->event = (struct event_state){ .nmi_unblocked = nmi_blocked }; /* no IF is aside now */
	vlapic_apicv_uninhibit(vp, APICV_INHIBIT_REASON_BLOCKIRQ);
	hw_vmwrite(VMCS_VM_ENTRY_INTR_INFO, 0);
	set_windows(vp, false, false);
}
