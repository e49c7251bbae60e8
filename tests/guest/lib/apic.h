/* SPDX-License-Identifier: BSD-2-Clause */
/* Local APIC access that follows the current mode: xAPIC (MMIO) or x2APIC (MSRs). */
#pragma once

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/msr.h"
#include "core/lib/types.h"
#include "tests/guest/lib/insn.h"

enum apic_mode { APIC_OFF, APIC_XAPIC, APIC_X2APIC };

enum apic_mode apic_mode(void);

/*
 * apic_enter() - switch modes through the legal transitions. False when this machine cannot: the
 * bare emulator never leaves "disabled" again, so there is no way back from x2APIC mode.
 */
bool apic_enter(enum apic_mode mode);

/* apic_quiesce() - enabled, all LVTs masked, timer stopped, TPR 0, nothing in service or pending.
 */
void apic_quiesce(void);

u32 apic_read(u32 reg);
void apic_write(u32 reg, u32 val);
void apic_icr(u32 dest, u32 low); /* waits for the previous IPI in xAPIC mode */
u32 apic_id(void);
void apic_eoi(void);
bool apic_in_service(u8 vector);
bool apic_requested(u8 vector);
bool apic_level(u8 vector); /* TMR */
void apic_self_ipi(u8 vector);
void apic_self_nmi(void);

/* apic_timer() - LVT timer: mode APIC_TIMER_*; the count is started by the caller. */
void apic_timer(u32 mode, u8 vector, u32 tdcr);
void apic_deadline(u64 tsc);
