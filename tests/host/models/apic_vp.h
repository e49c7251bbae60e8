/* SPDX-License-Identifier: BSD-2-Clause */
/* One VP (or several) with a virtual APIC on the model hardware: what the APIC tests start from. */
#pragma once

#include "core/partition.h"
#include "core/vp/vp.h"
#include "tests/host/harness.h"

#define APIC_TEST_VPS          4
#define APIC_TEST_TSC_HZ       2000000000ull /* 2 TSC ticks per ns */
#define APIC_TEST_TSC_PER_TICK 20u           /* of the APIC's timer */

struct apic_test {
	struct partition p;
	struct vp vp[APIC_TEST_VPS];
	_Alignas(4096) u8 page[APIC_TEST_VPS][4096];
	_Alignas(4096) u8 msr_bitmap[4096];
};

extern struct apic_test at;

/* EXPECT_CALL() - EXPECT_EQ() for expressions with side effects: evaluates both once. */
#define EXPECT_CALL(want, call) apic_expect((s64)(want), (s64)(call), #call, __FILE__, __LINE__)

static inline void apic_expect(s64 want, s64 got, const char *call, const char *file, int line)
{
	test_expect(want == got, call, (unsigned long long)want, (unsigned long long)got, "is not",
		    file, line);
}

/**
 * apic_test_init() - @vps VPs with APIC IDs 0, 1, 2...; VP 0 runs here on the model, which firmware
 * has left enabled in virtual-wire mode and VP 0 has copied. @vid: virtual-interrupt delivery.
 */
void apic_test_init(u32 vps, bool vid);

/* apic_test_use_timer() - all VPs run by @timer from now on. */
void apic_test_use_timer(enum run_timer timer);

/* WRMSR and RDMSR through the rows, reserved bits included. */
enum msr_result apic_test_wrmsr(struct vp *vp, u32 msr, u64 val);
enum msr_result apic_test_rdmsr(struct vp *vp, u32 msr, u64 *val);

/* apic_test_mode() - bring VP's APIC to 'x' xAPIC, '2' x2APIC, '0' disabled, by legal steps. */
void apic_test_mode(struct vp *vp, char mode);

/* apic_test_check_caches() - highest_* and *_many agree with the register page. */
bool apic_test_check_caches(const struct vlapic *a);
