/* SPDX-License-Identifier: BSD-2-Clause */
/* VMX on one CPU: capabilities, VMXON, the VMCS of a VP, the run loop. */
#pragma once

#include "arch/x86/vmx_caps.h"
#include "core/lib/types.h"

struct vp;

/**
 * vmx_probe() - read the capabilities of this CPU and check them against Kensho's needs. Changes
 * nothing.
 * @has_caps: @caps could be read; else they are 0.
 * ERR_NODEV: no; @why: one line, cause and remedy.
 */
MUST_CHECK err_t vmx_probe(struct vmx_cpu *cpu, struct vmx_caps *caps, bool *has_caps, char *why,
			   size_t why_len);

/* vmx_read_caps() - capabilities of this CPU; it has VMX. */
void vmx_read_caps(struct vmx_caps *caps);

/* vmx_read_cpu() - identity of the calling CPU. Any CPU. */
void vmx_read_cpu(struct vmx_cpu *cpu);

/**
 * vmx_on() - enter VMX root operation on this CPU. An unlocked IA32_FEATURE_CONTROL is locked with
 * VMX on.
 * @cpu, @caps: read on this CPU and checked. @region: a zeroed page, owned for ever.
 * Returns NULL, or why the CPU refuses: a clause.
 */
MUST_CHECK const char *vmx_on(const struct vmx_cpu *cpu, const struct vmx_caps *caps, void *region);

/**
 * vmcs_create() - make @page (zeroed, owned for ever) the VMCS of @vp, current on this CPU, with
 * its host-state area. ctx_fill() and vp_reset() do the rest.
 * @host_rip: mitigation_host_rip(), from the second exit on.
 * Context: the CPU of @vp, in VMX root.
 */
void vmcs_create(struct vp *vp, void *page, const struct vmx_caps *caps, u64 host_rip);

/* vmcs_launched() - after the first exit of @vp: enter by VMRESUME from now on. Called by
 * vmenter.S only. */
void vmcs_launched(struct vp *vp);

/* vmx_run() - vmenter.S */
NORETURN void vmx_run(struct vp *vp);
