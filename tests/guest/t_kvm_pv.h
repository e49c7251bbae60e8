/* SPDX-License-Identifier: BSD-2-Clause */
/* The KVM ABI for its tests: restated from the KVM documentation, independent of hv/kvm/kvm_abi.h
 * on purpose. */
#pragma once

#include "core/lib/types.h"
#include "tests/guest/lib/insn.h"

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
	return (cpuid(0x40000001).a >> bit & 1) != 0;
}

static inline s64 vmcall(u64 nr, u64 a0, u64 a1, u64 a2, u64 a3)
{
	s64 ret;

	asm volatile("vmcall" : "=a"(ret) : "a"(nr), "b"(a0), "c"(a1), "d"(a2), "S"(a3) : "memory");
	return ret;
}

struct steal {
	u64 steal;
	u32 version, flags;
	u8 preempted, pad[47];
};
static_assert(sizeof(struct steal) == 64, "steal time layout");
