/* SPDX-License-Identifier: BSD-2-Clause */
/* CPUID leaf 0xD: the XSAVE state components that the guest may use and their sizes. */
#pragma once

#include "core/lib/types.h"
#include "core/surface/cpuid.h"

/* xsave_supported() - XCR0 bits of this machine that the guest may set; 0: XSAVE is hidden. */
u64 xsave_supported(void);

/* For the rows of leaf 0xD: what is supported, then the size of the VP's enabled components. */
void xsave_init(const struct partition *p, u32 leaf, u32 subleaf, struct cpuid_regs *r);
void xsave_fn(const struct vp *vp, u32 leaf, u32 subleaf, struct cpuid_regs *r);
