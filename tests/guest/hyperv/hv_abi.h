/* SPDX-License-Identifier: BSD-2-Clause */
/* The Hyper-V ABI for its tests: restated from the TLFS, independent of hv/hyperv/hyperv_abi.h on
 * purpose. */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/tap.h"

#define HV_EOI       0x40000070u
#define HV_ICR       0x40000071u
#define HV_TPR       0x40000072u
#define HV_ASSIST    0x40000073u
#define HV_RESET     0x40000003u
#define HV_IDLE      0x400000f0u
#define HV_NPIEP     0x40000040u
#define HV_CRASH_P0  0x40000100u
#define HV_CRASH_CTL 0x40000105u

/* Bits of EAX of leaf 0x40000004. */
#define HV_HINT_APIC_MSRS (1u << 3)
#define HV_HINT_NO_AEOI   (1u << 9)

/* Bits of leaf 0x40000003: EAX, or EDX + 32. */
enum hv_bit {
	HV_BIT_APIC = 4,
	HV_BIT_RESET = 7,
	HV_BIT_IDLE = 10,
	HV_BIT_CRASH = 32 + 10,
	HV_BIT_NPIEP = 32 + 12
};

static inline bool hv_has(enum hv_bit bit)
{
	struct cpuid_regs r;

	if (cpuid(0x40000001).a != 0x31237648)
		return false;
	r = cpuid(0x40000003);
	return (((u64)r.d << 32 | r.a) >> bit & 1) != 0;
}

/* hv_need() - false, and the test is skipped: the feature is off. */
static inline bool hv_need(enum hv_bit bit)
{
	if (!hv_has(bit))
		test_skip("this feature is off here");
	return hv_has(bit);
}
