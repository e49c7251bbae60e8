/* SPDX-License-Identifier: BSD-2-Clause */
/* The control fields of a VMCS, as every VP starts with them. */
#pragma once

#include "core/lib/types.h"

struct vp;

/* Control words for the start of a VP; arch/x86/vmx_ctls.c computes them. */
struct vp_ctls {
	u32 pin, proc, proc2, exit, entry;
};

/* vp_vmcs_fill() - control fields of the current VMCS; vp_reset() fills the guest area. */
void vp_vmcs_fill(struct vp *vp, const struct vp_ctls *ctls);
