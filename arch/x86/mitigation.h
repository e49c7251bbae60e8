/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Speculation (rule P4): a pure table decides, from CPUID and IA32_ARCH_CAPABILITIES, which
 * sequences run at VM exit and entry; mitigation_apply() patches them in.
 */
#pragma once

#include "core/lib/types.h"

/* Sequences. */
#define MITIGATION_RETPOLINE BIT32(0) /* indirect branches through the retpoline thunks */
#define MITIGATION_RSB_FILL                                                                   \
	BIT32(1)                 /* refill the return stack buffer after an exit, then LFENCE \
				  */
#define MITIGATION_VERW BIT32(2) /* clear CPU buffers before an entry */
#define MITIGATION_L1TF BIT32(3) /* no sequence: the log says to update microcode */

struct mitigation_input {
	bool hidden; /* option mitigations=off */
	bool all;    /* option mitigations=all: every sequence, needed or not */
	bool arch_capabilities_present;
	u64 arch_capabilities;
	bool md_clear; /* CPUID.7:EDX.MD_CLEAR */
	bool rtm;      /* CPUID.7:EBX.RTM */
};

/* mitigation_decide() - the sequences that this CPU needs. Pure. */
u32 mitigation_decide(const struct mitigation_input *in);

/* mitigation_describe() - "retpoline rsb-fill verw" or "none", for the log. */
void mitigation_describe(u32 sequences, char *buf, size_t len);

/* A problem that no sequence of ours covers on this CPU, or that one does. */
struct mitigation_gap {
	const char *name; /* a word */
	bool is_open;
	const char *why; /* when it is open */
};

/* mitigation_gap() - row @i of them, for the report. False: there is none. Pure. */
bool mitigation_gap(u32 i, const struct mitigation_input *in, struct mitigation_gap *out);

/* mitigation_apply() - patch thunks and VERW sites. Boot, one CPU, before the first VM entry. */
void mitigation_apply(u32 sequences);

/**
 * vmenter_detour() - make every VMRESUME go through @by, or through @rdmsr_by that of
 * rdmsr_value.S: code in section .text.vmenter.detour that changes no register and ends with a jump
 * to vmenter_resume or rdmsr_resume. Replaces the VERW of mitigation_apply(); context as there.
 */
void vmenter_detour(const u8 *by, const u8 *rdmsr_by);

/* test_window.S: detours for tests of rule K1. */
extern const u8 test_wide_window[], test_wide_rdmsr[];

/* mitigation_host_rip() - HOST_RIP for the chosen sequences. @traced: trace=exits. */
u64 mitigation_host_rip(u32 sequences, bool traced);
