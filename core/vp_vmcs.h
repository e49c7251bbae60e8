/* SPDX-License-Identifier: BSD-2-Clause */
/* The guest's side of a VMCS: control fields and the state of a boot protocol's entry point. */
#pragma once

#include "core/lib/types.h"

struct vp;
struct load_plan;

/* Control words for the start of a VP; arch/x86/vmx_ctls.c computes them. */
struct vp_ctls {
	u32 pin, proc, proc2, exit, entry;
};

/* vp_vmcs_fill() - control fields of the current VMCS; vp_reset() fills the guest area. */
void vp_vmcs_fill(struct vp *vp, const struct vp_ctls *ctls);

/* vp_vmcs_set_entry() - guest state for @plan's entry point, over the reset state. */
void vp_vmcs_set_entry(struct vp *vp, const struct load_plan *plan);
