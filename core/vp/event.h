/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events on their way into the guest: exceptions, NMIs, interrupts; the merge rules for double and
 * triple faults; re-injection of what an exit interrupted (SDM "Information for VM Exits That Occur
 * During Event Delivery").
 */
#pragma once

#include "arch/x86/defs/vmcs.h"
#include "core/lib/types.h"

struct vp;

/* Blocking that lasts for one instruction. */
#define INTERRUPT_SHADOW ((u64)(GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS))

/*
 * An event in flight: an exception, or one whose delivery an exit interrupted. It belongs to one
 * context.
 */
struct event_queued {
	u32 info;  /* VM-entry interruption information to inject next, valid bit 31; 0 = none */
	u32 error; /* its error code */
	u32 len;   /* instruction length for software events */
};

struct event_state {
	union {
		struct event_queued queued;
		struct {
			u32 info, error, len;
		};
	};
	union {
		struct {
			union {
				struct {
					bool triple_fault; /* the merge rules made one */
					bool stepping;     /* one instruction: core/vp/step.h */
				};
				u16 special; /* either of the two */
			};
			u8 nmis_pending; /* virtual NMIs that wait */
			bool if_aside;   /* rule K3: IF in the VMCS is ours, the guest's is 0 */
			union {
				struct {
					bool extint; /* the FIFO of acknowledged ExtINT vectors is
						      * not empty */
					bool tell_running; /* call partition_hooks.running once, as
							    * soon as the VP is not halted. Modules
							    * set it */
				};
				u16 other; /* either of the two */
			};
		};
		u64 rare; /* any of the above: prepare_event() decides */
	};
	bool nmi_unblocked; /* INIT unblocked NMIs; none injected since (rule K2b) */
};

/**
 * event_exception() - queue an exception raised by an emulated instruction.
 * @has_code: push @code.
 *
 * Merges with an event that is already queued for re-injection by the rules of the SDM ("Interrupt
 * 8: Double Fault Exception"): benign, contributory, page fault; a fault during #DF is a triple
 * fault.
 */
void event_exception(struct vp *vp, u8 vector, bool has_code, u32 code);

/*
 * event_nmi() - a virtual NMI arrived. A CPU has one NMI in service and latches one more, so two
 * that arrive before the first is taken are two; further ones are lost. VP's own CPU.
 */
void event_nmi(struct vp *vp);

/* event_vectoring() - queue the event whose delivery this exit interrupted, if there was one. */
void event_vectoring(struct vp *vp);

/**
 * event_prepare_entry() - choose what the next VM entry injects and open windows for the rest. An
 * exit handler that has just raised something may call it, too, which saves another round through
 * vp_prepare_entry(). Order: queued exception or re-injection, NMI, ExtINT FIFO, virtual APIC. Sets
 * HLT activity state or wakes from it (rule K3).
 */
void event_prepare_entry(struct vp *vp);

/*
 * event_reset() - INIT or power-on: drop all that is pending and unblock NMIs. @nmi_blocked: they
 * were blocked until now.
 */
void event_reset(struct vp *vp, bool nmi_blocked);
