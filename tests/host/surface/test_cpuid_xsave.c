/* SPDX-License-Identifier: BSD-2-Clause */
/* core/surface/cpuid_xsave.c: the compacted format, with components of sizes that no CPU has yet.
 * test_cpuid.c has the sizes of real ones. */
#include "arch/x86/defs/cr.h"
#include "core/surface/cpuid.h"
#include "tests/host/fakes/rig.h"
#include "tests/host/harness.h"

#define ALIGNED_64 2u /* of ECX */

static struct fake_guest g;
static u32 zmm_flags;

static void odd_opmask(struct partition *p)
{
	fake_cpuid_set(0xd, 5, 8, 1088, 0, 0);
	fake_cpuid_set(0xd, 6, 512, 1152, zmm_flags, 0);
}

static u32 compacted_bytes(void)
{
	struct cpuid_regs r;

	cpuid_query(&g.vp[0], 0xd, 1, &r);
	return r.b;
}

/* SDM Vol. 1 "Compacted Format": ECX bit 1 of the component, not of the one before it. */
static void test_components_are_aligned_as_they_ask(void)
{
	for (u32 aligned = 0; aligned < 2; aligned++) {
		zmm_flags = aligned != 0 ? ALIGNED_64 : 0;
		fake_guest_init(&g, 1, odd_opmask);
		g.vp[0].xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK;
		EXPECT_EQ(832 + 8, compacted_bytes());
		g.vp[0].xcr0 |= XCR0_ZMM_HI256;
		EXPECT_EQ((aligned != 0 ? 896 : 840) + 512, compacted_bytes());
		g.vp[0].xcr0 |= XCR0_HI16_ZMM; /* aligned, always */
		EXPECT_EQ(1408 + 1024, compacted_bytes());
	}
}

TEST_MAIN(TEST(test_components_are_aligned_as_they_ask))
