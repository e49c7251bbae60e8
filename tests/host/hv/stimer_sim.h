/* SPDX-License-Identifier: BSD-2-Clause */
/* A guest with synthetic timers, for their tests. Numbers are restated from the TLFS. */
#pragma once

#include "tests/host/harness.h"

#include "arch/x86/defs/apic.h"
#include "core/mem/ept.h"
#include "core/time/timer.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "tests/host/fakes/rig.h"

#define TIME_REF_COUNT        0x40000020u
#define TSC_EMULATION_CONTROL 0x40000107u
#define TSC_EMULATION_STATUS  0x40000108u
#define CONFIG(n)             (0x400000b0u + 2 * (n))
#define COUNT_OF(n)           (0x400000b1u + 2 * (n))
#define SCONTROL              0x40000080u
#define SIMP                  0x40000083u
#define EOM                   0x40000084u
#define SINT_MSR(n)           (0x40000090u + (n))
#define SIMP_GPA              (GUEST_RAM_BASE + 0x5000)
#define TIMER_EXPIRED         0x80000010u
#define ENABLE                1ull
#define PERIODIC              2ull
#define LAZY                  4ull
#define AUTO                  8ull
#define DIRECT                (1ull << 12)
#define SINT(n)               ((u64)(n) << 16)
#define VECTOR(v)             ((u64)(v) << 4)
#define VEC(n)                (0x50u + 0x10 * (n)) /* in classes of their own */
#define TICKS                 (GUEST_TSC_HZ / 10000000)
#define MS                    10000u
#define SHORTEST              2000u /* min_timer_period_us=200 */
#define VP                    (&g.vp[0])

static struct fake_guest g;

static inline void without_direct(struct partition *p)
{
	fake_guest_everything(p);
	p->config.cpu_features &= ~BIT64(FEATURE_HV_STIMER_DIRECT);
}

static inline void hyperv_only(struct partition *p)
{
	fake_guest_everything(p);
	p->config.min_timer_period_us = SHORTEST / 10;
}

static inline void start_with(void (*change)(struct partition *p))
{
	if (g.p.vp_count != 0)
		hv_vp_reset(VP, false);
	fake_guest_init(&g, 1, change);
	vlapic_write(VP, APIC_SVR, APIC_SVR_ENABLE | 0xff);
	fake.tsc += GUEST_TSC_HZ; /* the time is not 0 */
}

static inline void start(void)
{
	start_with(hyperv_only);
}

static inline u64 get(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(VP, msr, &val));
	return val;
}

static inline void set(u32 msr, u64 val)
{
	EXPECT_EQ(MSR_OK, msr_write(VP, msr, val));
}

static inline u64 now(void)
{
	return get(TIME_REF_COUNT);
}

/* Take the interrupt of @vector, if it is requested. */
static inline bool took(u32 vector)
{
	if (vlapic_pending_vector(VP) != (s32)vector)
		return false;
	vlapic_accept(VP, (u8)vector);
	vlapic_eoi(VP);
	return true;
}

/* @units later, with what is due on the way. Returns how often @vector was requested. */
static inline u32 pass(u64 units, u32 vector)
{
	u64 end_tsc = fake.tsc + units * TICKS;
	u32 n = 0;

	while (VP->deadline_tsc <= end_tsc) {
		fake.tsc = umax64(fake.tsc + 1, VP->deadline_tsc);
		timer_run(VP, fake.tsc);
		n += took(vector);
	}
	fake.tsc = end_tsc;
	return n;
}

/* --- Messages --- */

struct slot {
	u32 type;
	u8 size, flags, reserved[2];
	u64 sender;
	u32 index, zero;
	u64 expiration, delivery;
	u64 rest[27];
};
static_assert(sizeof(struct slot) == 256, "TLFS");

static inline struct slot *slot(u32 sint)
{
	struct slot *page = hw_phys_to_virt(ept_walk(&g.p.ept, gpa(SIMP_GPA)).hpa);

	return &page[sint];
}

/* SINT 1 to 4, each with the vector of a timer. */
static inline void synic_on(void)
{
	set(SCONTROL, 1);
	set(SIMP, SIMP_GPA | 1);
	for (u32 i = 0; i < 4; i++)
		set(SINT_MSR(i + 1), VEC(i));
}

static inline void expect_tick(u32 timer, u32 sint, u64 expiration)
{
	const struct slot *at = slot(sint);

	EXPECT_EQ(TIMER_EXPIRED, at->type);
	EXPECT_EQ(24, at->size);
	EXPECT_EQ(0, at->sender);
	EXPECT_EQ(timer, at->index);
	EXPECT_EQ(0, at->zero);
	EXPECT_EQ(expiration, at->expiration);
	EXPECT_GE(at->delivery, at->expiration);
	EXPECT_LE(at->delivery, now());
}

/* And nothing waits for the slot. */
static inline void expect_message(u32 timer, u32 sint, u64 expiration)
{
	EXPECT_EQ(0, slot(sint)->flags);
	expect_tick(timer, sint, expiration);
}

/* As clients do. */
static inline void end_of_message(u32 sint)
{
	u8 flags = slot(sint)->flags;

	slot(sint)->type = 0;
	if (flags & 1)
		set(EOM, 0);
}
