/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX control words, computed from wanted, required and allowed bits. Pure. */
#pragma once

#include "arch/x86/vmx_caps.h"
#include "core/config.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

struct vmx_ctls {
	u32 pin, proc, proc2, exit, entry;
};

/* APIC virtualization that boot decided to use (option apicv=). */
struct vmx_apicv {
	bool apic_accesses, tpr_shadow, register_virt, virt_intr_delivery, virt_x2apic;
};

/* Optional instructions: on when the guest sees the CPUID feature, else they #UD. */
struct vmx_guest_features {
	bool rdtscp, invpcid, xsaves, waitpkg;
	bool mwait;           /* MONITOR and MWAIT execute in the guest */
	bool hlt_passthrough; /* so does HLT */
};

/**
 * vmx_adjust_ctls() - one control word.
 * @want: set if allowed; @must: must be settable; @cap: capability MSR (low half: must be 1, high
 * half: may be 1). ERR_NODEV when a @must bit is not allowed; *out only on success.
 */
MUST_CHECK err_t vmx_adjust_ctls(u32 want, u32 must, u64 cap, u32 *out);

/* vmx_ctls_init() - all five words for the start of a VP. */
MUST_CHECK err_t vmx_ctls_init(const struct vmx_caps *caps, const struct vmx_guest_features *gf,
			       const struct vmx_apicv *apicv, bool use_vmx_timer,
			       struct vmx_ctls *ctls);

/**
 * vmx_apicv_decide() - what option apicv= means on this CPU.
 * @vid_is_buggy: the machine's virtual-interrupt delivery has the listed emulator bug.
 * ERR_NODEV with apicv=on when virtual-interrupt delivery is absent (@why says what).
 */
MUST_CHECK err_t vmx_apicv_decide(const struct vmx_caps *caps, enum apicv_option mode,
				  bool vid_is_buggy, struct vmx_apicv *out, const char **why);
