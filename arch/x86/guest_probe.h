/* SPDX-License-Identifier: BSD-2-Clause */
/* A throw-away guest of a few instructions, for selftest=. guest_probe.S */
#pragma once

#include "core/lib/types.h"

/**
 * guest_probe_enter() - run the current VMCS until its next exit and come back.
 * @regs: RAX and RBX of the guest, loaded and stored back. @launched: VMRESUME instead of VMLAUNCH.
 * False: VMfail. Overwrites HOST_RSP and HOST_RIP: that VMCS can no longer run a VP.
 */
bool guest_probe_enter(u64 regs[2], bool launched);

/* Position-independent 32-bit code, to be copied; the labels are entry points. */
extern const u8 guest_probe_code[], guest_probe_end[];
extern const u8 guest_probe_cpuid[]; /* CPUID */
extern const u8 guest_probe_read[];  /* EAX = [EBX], then VMCALL */
extern const u8 guest_probe_write[]; /* [EBX] = EAX, then VMCALL */
extern const u8 guest_probe_jump[];  /* to EBX */
extern const u8 guest_probe_spin[];  /* for ever */
extern const u8 guest_probe_nops[];  /* NOP, NOP, VMCALL */
