/* SPDX-License-Identifier: BSD-2-Clause */
/* One VP that is asked for its leaves. */
#pragma once

#include "tests/host/harness.h"

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vmcs.h"
#include "core/surface/cpuid.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;

static inline struct cpuid_regs ask(u32 leaf, u32 subleaf)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], leaf, subleaf, &r);
	return r;
}

static inline void init(void)
{
	fake_guest_init(&g, 1, NULL);
}

static inline void misc_enable(u32 vp, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[vp], MSR_IA32_MISC_ENABLE, val));
}
