/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM ABI for its tests: restated from the KVM documentation, independent of hv/kvm/kvm_abi.h
 * on purpose. */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/insn.h"
#include "tests/guest/lib/kvm.h"
#include "tests/guest/lib/str.h"
#include "tests/guest/lib/tap.h"

#define STEAL_TIME    0x4b564d03u
#define PV_EOI_EN     0x4b564d04u
#define POLL_CONTROL  0x4b564d05u
#define KICK_CPU      5u
#define CLOCK_PAIRING 9u
#define SEND_IPI      10u
#define SCHED_YIELD   11u
#define NOSYS         (-1000ll)
#define INVAL         (-22ll)
#define FAULT         (-14ll)
#define NOTSUPP       (-95ll)

enum bit {
	BIT_CLOCK2 = 3,
	BIT_STEAL = 5,
	BIT_EOI = 6,
	BIT_UNHALT = 7,
	BIT_FLUSH = 9,
	BIT_IPI = 11,
	BIT_POLL = 12,
	BIT_YIELD = 13
};

static inline bool has(enum bit bit)
{
	return (kvm_features() >> bit & 1) != 0;
}

struct steal {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
};
static_assert(sizeof(struct steal) == 64, "steal time layout");

/* What a test registers lies here; zeroed by need(). */
static u8 page[4096] ALIGNED(4096);

static inline u64 addr(u32 offset)
{
	return (u64)(uintptr_t)page + offset;
}

static inline volatile struct steal *steal_of(u32 cpu)
{
	return (volatile struct steal *)(uintptr_t)(page + cpu * 64);
}

static inline void steal_on(u64 cpu)
{
	wrmsr(STEAL_TIME, addr((u32)cpu * 64) | 1);
}

static inline void steal_off(u64 unused)
{
	wrmsr(STEAL_TIME, 0);
}

/* need() - false, and the test is skipped: the feature is off. */
static inline bool need(enum bit bit)
{
	if (!has(bit))
		test_skip("this feature is off here");
	memset(page, 0, sizeof(page));
	return has(bit);
}
