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

/* Interruptibility bits that last for one instruction. */
#define INTERRUPT_SHADOW ((u64)(GUEST_INTR_BLOCKED_BY_STI | GUEST_INTR_BLOCKED_BY_MOV_SS))

/* An event that has begun: an exception, or what an exit interrupted. It belongs to one context. */
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
					bool triple_fault; /* what the merge rules ended in */
					bool stepping;     /* one instruction: core/vp/step.h */
				};
				u16 special; /* either of the two */
			};
			u8 nmis_pending; /* virtual NMIs that wait */
			bool if_aside;   /* rule K3: IF in the VMCS is ours, the guest's is 0 */
			bool extint;     /* the FIFO of acknowledged ExtINT vectors is not empty */
		};
		u64 rare; /* any of the above */
	};
	bool nmi_unblocked; /* INIT ended the blocking of NMIs, and none was injected since */
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

/* event_vectoring() - after an exit that interrupted event delivery: queue it again. */
void event_vectoring(struct vp *vp);

/**
 * event_prepare_entry() - choose what the next VM entry injects and open windows for the rest.
 * Exit handlers that just raised something may call it, too: that saves the usual interrupt a
 * second round through vp_prepare_entry(). Order: queued exception or re-injection, NMI, ExtINT
 * FIFO, virtual APIC. Sets HLT activity state or wakes from it (rule K3).
 */
void event_prepare_entry(struct vp *vp);

/*
 * event_reset() - INIT or power-on: nothing is pending, nothing blocks NMIs. @nmi_blocked: they
 * were until now.
 */
void event_reset(struct vp *vp, bool nmi_blocked);
