/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What Hyper-V says of the TSC: hv/hyperv/frequencies.c, runtime.c, tsc_invariant.c,
 * reenlightenment.c. Numbers are restated from the TLFS and from KVM. */
#include "tests/host/harness.h"

#include "arch/x86/defs/msr.h"
#include "core/surface/cpuid.h"
#include "core/vp/park.h"
#include "hv/hv.h"
#include "hv/hyperv/hyperv.h"
#include "tests/host/fakes/rig.h"

#define VP_RUNTIME              0x40000010u
#define TSC_FREQUENCY           0x40000022u
#define APIC_FREQUENCY          0x40000023u
#define REENLIGHTENMENT_CONTROL 0x40000106u
#define TSC_EMULATION_CONTROL   0x40000107u
#define TSC_EMULATION_STATUS    0x40000108u
#define TSC_INVARIANT_CONTROL   0x40000118u

static struct fake_guest g;
static bool has_invariant_tsc;

static void hyperv_only(struct partition *p)
{
	fake_guest_features(p, &hyperv_abi);
}

static u64 get(u32 msr)
{
	u64 val = ~0ull;

	EXPECT_EQ(MSR_OK, msr_read(&g.vp[0], msr, &val));
	return val;
}

static void host_cpuid(u32 leaf, u32 subleaf, struct cpuid_regs *r)
{
	fake_host_cpuid(leaf, subleaf, r);
	if (leaf == 0x15)
		*r = (struct cpuid_regs){ 2, 84, 24000000, 0 };
	if (leaf == 0x80000007)
		r->d = has_invariant_tsc ? 1u << 8 : 0;
}

static void with_host(struct partition *p)
{
	fake.cpuid_fn = host_cpuid;
	hyperv_only(p);
}

static void start(bool invariant)
{
	has_invariant_tsc = invariant;
	fake_guest_init(&g, 1, with_host);
}

/* A crystal in CPUID.15H is what the virtual APIC's timer counts; else 1 GHz, as in KVM. */
static void test_frequencies(void)
{
	start(true);
	EXPECT_EQ(GUEST_TSC_HZ, get(TSC_FREQUENCY));
	EXPECT_EQ(24000000, get(APIC_FREQUENCY));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_FREQUENCY, 1));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], APIC_FREQUENCY, 1));
	g.p.machine.cpuid_tsc_trusted = false;
	vlapic_init(&g.vp[0], g.pages[0].apic_page);
	EXPECT_EQ(1000000000, get(APIC_FREQUENCY));
}

/* 100 ns units of wall time, less what was stolen. */
static void test_runtime(void)
{
	u64 before, second = g.p.clock.tsc_hz, begin;

	start(true);
	second = g.p.clock.tsc_hz;
	before = get(VP_RUNTIME);
	fake.tsc += 3 * second;
	EXPECT_GE(get(VP_RUNTIME), before + 29999999);
	EXPECT_LE(get(VP_RUNTIME), before + 30000001);
	begin = steal_begin();
	fake.tsc += 2 * second;
	steal_end(&g.vp[0], STEAL_CALL, begin);
	fake.tsc += second / 2;
	EXPECT_GE(get(VP_RUNTIME), before + 34999999);
	EXPECT_LE(get(VP_RUNTIME), before + 35000001);
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], VP_RUNTIME, 0));
}

static bool shows_invariant(void)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], 0x80000007, 0, &r);
	return (r.d >> 8 & 1) != 0;
}

static bool offers_control(void)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], 0x40000003, 0, &r);
	return (r.a >> 15 & 1) != 0;
}

/* Hidden until asked for; once shown, it stays, over INIT too. */
static void test_invariant_tsc(void)
{
	start(true);
	EXPECT_TRUE(offers_control());
	EXPECT_FALSE(shows_invariant());
	EXPECT_EQ(0, get(TSC_INVARIANT_CONTROL));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 0));
	for (u32 bit = 1; bit < 64; bit++) {
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 1ull << bit));
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 1ull << bit | 1));
	}
	EXPECT_FALSE(shows_invariant());
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 1));
	EXPECT_TRUE(shows_invariant());
	EXPECT_EQ(1, get(TSC_INVARIANT_CONTROL));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 0));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 1));
	hv_vp_reset(&g.vp[0], true);
	EXPECT_TRUE(shows_invariant());
	hv_vp_reset(&g.vp[0], false);
	EXPECT_FALSE(shows_invariant());
}

/* A machine without: not offered, and CPUID does not make one up. */
static void test_no_invariant_tsc(void)
{
	u64 val;

	start(false);
	EXPECT_FALSE(offers_control());
	EXPECT_FALSE(shows_invariant());
	EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], TSC_INVARIANT_CONTROL, &val));
	EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_INVARIANT_CONTROL, 1));
	EXPECT_CONTAINS(fake.console, "hv-tsc-invariant: off, the machine does not have it");
}

/* For the partition: they read as written, over INIT too. No emulation can be started by a write.
 */
static void test_reenlightenment(void)
{
	start(true);
	EXPECT_EQ(0, get(REENLIGHTENMENT_CONTROL) | get(TSC_EMULATION_CONTROL));
	EXPECT_EQ(MSR_OK,
		  msr_write(&g.vp[0], REENLIGHTENMENT_CONTROL, 3ull << 32 | 1 << 16 | 0xee));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_CONTROL, 1));
	hv_vp_reset(&g.vp[0], true);
	EXPECT_EQ(3ull << 32 | 1 << 16 | 0xee, get(REENLIGHTENMENT_CONTROL));
	EXPECT_EQ(1, get(TSC_EMULATION_CONTROL));
	EXPECT_EQ(0, get(TSC_EMULATION_STATUS));
	EXPECT_EQ(MSR_OK, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 0));
	for (u32 bit = 0; bit < 64; bit++)
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], TSC_EMULATION_STATUS, 1ull << bit));
	hv_vp_reset(&g.vp[0], false);
	EXPECT_EQ(0, get(REENLIGHTENMENT_CONTROL) | get(TSC_EMULATION_CONTROL));
}

static void test_off(void)
{
	static const u32 msrs[] = { VP_RUNTIME,
				    TSC_FREQUENCY,
				    APIC_FREQUENCY,
				    TSC_INVARIANT_CONTROL,
				    REENLIGHTENMENT_CONTROL,
				    TSC_EMULATION_CONTROL,
				    TSC_EMULATION_STATUS };
	u64 val;

	fake_guest_init(&g, 1, NULL);
	for (u32 i = 0; i < ARRAY_SIZE(msrs); i++) {
		EXPECT_EQ(MSR_GP, msr_read(&g.vp[0], msrs[i], &val));
		EXPECT_EQ(MSR_GP, msr_write(&g.vp[0], msrs[i], 1));
	}
	EXPECT_TRUE(shows_invariant());
}

TEST_MAIN(TEST(test_frequencies), TEST(test_runtime), TEST(test_invariant_tsc),
	  TEST(test_no_invariant_tsc), TEST(test_reenlightenment), TEST(test_off))
