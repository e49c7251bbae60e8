/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hyper-V's clocks for their tests: restated from the TLFS, independent of hv/hyperv/hyperv_abi.h
 * on purpose. One reference TSC page, and its reader.
 */
#pragma once

#include "arch/x86/defs/msr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

#define VP_RUNTIME              0x40000010u
#define TIME_REF_COUNT          0x40000020u
#define REFERENCE_TSC           0x40000021u
#define TSC_FREQUENCY           0x40000022u
#define APIC_FREQUENCY          0x40000023u
#define REENLIGHTENMENT_CONTROL 0x40000106u
#define TSC_EMULATION_CONTROL   0x40000107u
#define TSC_EMULATION_STATUS    0x40000108u
#define TSC_INVARIANT_CONTROL   0x40000118u
#define ACCESS_VP_RUNTIME       BIT32(0)
#define ACCESS_REFERENCE_COUNT  BIT32(1)
#define ACCESS_REFERENCE_TSC    BIT32(9)
#define ACCESS_FREQUENCIES      BIT32(11)
#define ACCESS_REENLIGHTENMENT  BIT32(13)
#define ACCESS_TSC_INVARIANT    BIT32(15)

#define UNITS_PER_S 10000000u

/* kvmclock's scale has 32 bits: off by this in a boot of minutes. */
#define KVM_UNITS 50u

struct tsc_page {
	u32 sequence, reserved;
	u64 scale, offset;
	u64 rest[509];
};
static_assert(sizeof(struct tsc_page) == 4096, "TLFS");

static volatile struct tsc_page page ALIGNED(4096);

static inline u32 privileges(void)
{
	return cpuid(0x40000001).a == 0x31237648 ? cpuid(0x40000003).a : 0; /* "Hv#1" */
}

/* False: the running test is skipped. */
static inline bool has(u32 bits)
{
	if ((privileges() & bits) == bits)
		return true;
	test_skip("the feature is off");
	return false;
}

/* As clients read it: again while the page changes. ~0: the page is invalid. */
static inline u64 page_time(void)
{
	u32 sequence;
	u64 time;

	do {
		sequence = page.sequence;
		if (sequence == 0)
			return ~0ull;
		time = (u64)(((unsigned __int128)rdtsc() * page.scale) >> 64) + page.offset;
	} while (page.sequence != sequence);
	return time;
}

static inline u64 msr_time(void)
{
	return rdmsr(TIME_REF_COUNT);
}

/* The MSR before and after: the page is between them, to the tick. */
static inline void expect_page_is_msr(void)
{
	if (page.sequence == 0 && !machine_is_kensho())
		return test_skip("the page is invalid: the host's TSC is not stable");
	EXPECT_NE(0, page.sequence);
	EXPECT_NE(~0u, page.sequence);
	for (u32 i = 0; i < 100; i++) {
		u64 before = msr_time(), now = page_time(), after = msr_time();

		EXPECT_LE(before, now);
		EXPECT_LE(now, after);
	}
}

static inline void page_on(void)
{
	wrmsr(REFERENCE_TSC, (u64)(uintptr_t)&page | 1);
}

static inline void fill(u8 byte)
{
	for (u32 i = 0; i < sizeof(page); i++)
		((volatile u8 *)&page)[i] = byte;
}

static inline bool is_filled(u8 byte)
{
	for (u32 i = 0; i < sizeof(page); i++) {
		if (((volatile u8 *)&page)[i] != byte)
			return false;
	}
	return true;
}
