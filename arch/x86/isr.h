/* SPDX-License-Identifier: BSD-2-Clause */
/* Host exceptions and interrupts: what the stubs in isr.S push, and the C side they call. */
#pragma once

#include "core/lib/types.h"

/* Layout fixed by isr.S. */
struct exc_frame {
	u64 r15, r14, r13, r12, r11, r10, r9, r8;
	u64 rbp, rdi, rsi, rdx, rcx, rbx, rax;
	u64 vector;
	u64 error; /* 0 when the event has none */
	u64 rip, cs, rflags, rsp, ss;
};

#define ISR_STUB_BYTES 16

extern const u8 isr_stubs[]; /* 256 stubs of ISR_STUB_BYTES */
extern const u8 isr_nmi[];

/* The only instructions of the hypervisor that run with interrupts enabled: in hw_irq_window(). */
extern const u8 irq_window_start[], irq_window_end[];

/* exception_entry() - every vector but NMI. Called by isr.S only. */
void exception_entry(struct exc_frame *f);

/* host_interrupt() - a physical interrupt taken in root mode (rule I4). */
void host_interrupt(u32 vector);

/**
 * host_nmi() - an NMI taken in root mode; the entry window was already aborted (rule K1).
 *
 * Context: NMI stack, NMIs blocked. Must not fault, not even in rdmsr_safe(): the IRET of the fault
 * handler unblocks NMIs, and a second NMI would overwrite this stack.
 */
void host_nmi(bool restarted);

static_assert(sizeof(struct exc_frame) == 22 * 8, "layout known to isr.S");
