// SPDX-License-Identifier: BSD-2-Clause
// Rule M1: accesses to the hypervisor's region that the decoder does not know, vector registers and
// their images.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/hostile/region.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

#define SCRATCH(text)                                                                  \
	({                                                                             \
		u64 at_ = region_scratch_page() + 512, a_ = 0, b_ = 0, c_ = 0, d_ = 0; \
		asm volatile(text "; " text                                            \
			     : "+a"(a_), "+b"(b_), "+c"(c_), "+d"(d_)                  \
			     : "r"(at_)                                                \
			     : "memory", "cc");                                        \
		counter_want("DECODE_FAILED", 1);                                      \
	})

static void hostile_region_undecodable(void)
{
	u64 at;

	REQUIRE(region_ready());
	at = region_scratch_page();
	counter_want("DECODE_FAILED", 1);
	EXPECT_EQ(ONES64, region_peek(at + 512));
	asm volatile("lock cmpxchg16b (%0)"
		     :
		     : "r"(at + 512), "a"(ONES64), "d"(ONES64), "b"(1ull), "c"(2ull)
		     : "memory", "cc");
	EXPECT_EQ(1, region_peek(at + 512)); /* its own memory now */
	EXPECT_EQ(2, region_peek(at + 520));
	EXPECT_TRUE(region_all_ones(at, 512));
	SCRATCH("cmpxchg8b (%4)");
	SCRATCH("cmpxchg16b (%4)");
	SCRATCH("fnstcw (%4)");
	SCRATCH("fnstenv (%4)");
	SCRATCH("fnsave (%4)");
	SCRATCH("fldz; fstpt (%4)");
	SCRATCH("stmxcsr (%4)");
	SCRATCH("shll $1, (%4)");
	SCRATCH("pextrw $1, %%xmm0, (%4)");
	SCRATCH("fxsave64 (%4)");
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
}

#define DROPPED(text)                                                     \
	({                                                                \
		asm volatile(text "; " text                               \
			     :                                            \
			     : "r"(region + MIDDLE + 512), "a"(0), "d"(0) \
			     : "memory", "cc");                           \
		region_dropped(2);                                        \
	})

/* What the decoder knows and compilers never use on memory like this: no page is spent on it. */
static void hostile_region_rare_stores(void)
{
	REQUIRE(region_ready());
	DROPPED("smsw (%0)");
	DROPPED("sgdt (%0)");
	DROPPED("sidt (%0)");
	DROPPED("sldt (%0)");
	DROPPED("str (%0)");
	DROPPED("mov %%ds, (%0)");
	DROPPED("setz (%0)");
	DROPPED("shldl $3, %%eax, (%0)");
	DROPPED("movq %%mm0, (%0); emms");
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096));
}

/* The stack in the region: what is pushed there is gone. */

/* --- vector registers and their images --- */

static u64 vec[8] ALIGNED(64);

static void hostile_region_sse(void)
{
	REQUIRE(region_ready());
	asm volatile("movups (%0), %%xmm1; movups %%xmm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0] & vec[1]);
	asm volatile("pxor %%xmm1, %%xmm1; movlps (%0), %%xmm1; movups %%xmm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0]);
	EXPECT_EQ(0, vec[1]);
	asm volatile("pxor %%xmm1, %%xmm1; movups %%xmm1, (%0); movaps %%xmm1, 16(%0);"
		     "movdqu %%xmm1, 33(%0); movss %%xmm1, (%0); movsd %%xmm1, (%0);"
		     "movntdq %%xmm1, 16(%0); movhps %%xmm1, (%0); movd %%xmm1, (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	region_dropped(8);
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 128));
	region_edges_begin();
	asm volatile("pxor %%xmm1, %%xmm1; movups %%xmm1, -8(%0); movups %%xmm1, -8(%1)"
		     :
		     : "r"(region), "r"(region_end)
		     : "memory");
	region_dropped(2);
	EXPECT_EQ(0, region_peek(region - 8));
	EXPECT_EQ(0, region_peek(region_end));
	EXPECT_TRUE(region_all_ones(region, 16) && region_all_ones(region_end - 16, 16));
	region_edges_end();
}

static bool avx_on(void)
{
	if (!region_ready())
		return false;
	if ((cpuid(1).c & CPUID1_ECX_AVX) == 0) {
		test_skip("no AVX");
		return false;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	return try_xsetbv(0, XCR0_X87 | XCR0_SSE | XCR0_AVX) == NO_FAULT;
}

static void hostile_region_avx(void)
{
	u64 old[4];

	if (!avx_on())
		return;
	asm volatile("vmovups (%0), %%ymm1; vmovups %%ymm1, (%1)"
		     :
		     : "r"(region), "r"(vec)
		     : "memory");
	EXPECT_EQ(ONES64, vec[0] & vec[1] & vec[2] & vec[3]);
	asm volatile("vpxor %%xmm1, %%xmm1, %%xmm1; vmovups %%ymm1, 5(%0); vmovaps %%ymm1, (%0);"
		     "vmovdqu %%ymm1, 4080(%0); vmovntdq %%ymm1, 64(%0); vmovsd %%xmm1, (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	region_dropped(5);
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 4096 + 64));
	memcpy(old, (void *)(uintptr_t)(region - 24), 24);
	asm volatile("vmovups %%ymm1, -24(%0)" : : "r"(region) : "memory");
	region_dropped(1);
	EXPECT_EQ(0, region_peek(region - 24) | region_peek(region - 16) | region_peek(region - 8));
	EXPECT_TRUE(region_all_ones(region, 64));
	memcpy((void *)(uintptr_t)(region - 24), old, 24);
	SCRATCH("vextractf128 $1, %%ymm1, (%4)");
	asm volatile("vpcmpeqd %%xmm2, %%xmm2, %%xmm2" : : : "memory");
	SCRATCH("vmaskmovps %%ymm1, %%ymm2, (%4)");
	try_xsetbv(0, XCR0_X87);
}

/* All-ones is no image: MXCSR and the XSAVE header have reserved bits. */
static void hostile_region_xsave(void)
{
	u64 at, pages;

	if (!avx_on())
		return;
	trap_clear();
	asm volatile(TRY_BEGIN "fxrstor64 (%0)" TRY_END : : "r"(region + MIDDLE) : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	trap_clear();
	asm volatile(TRY_BEGIN "xrstor64 (%0)" TRY_END
		     :
		     : "r"(region + MIDDLE), "a"(7), "d"(0)
		     : "memory");
	EXPECT_EQ(EXC_GP, trap_vector());
	at = region_scratch_page();
	counter_want("DECODE_FAILED", 1);
	asm volatile("vzeroall; xsave64 (%0)" : : "r"(at), "a"(7), "d"(0) : "memory");
	EXPECT_EQ(0, region_peek(at + 160)); /* XMM0 */
	EXPECT_TRUE(region_all_ones(at + 2048, 2048));
	/* Over two pages: one scratch page each. */
	pages = region_scratch_page();
	pages = region_scratch_page();
	counter_want("DECODE_FAILED", 2);
	asm volatile("fxsave64 (%0)" : : "r"(pages + 4096 - 256) : "memory");
	EXPECT_EQ(0, region_peek(pages + 4096 - 256 + 160));
	EXPECT_EQ(0, region_peek(pages + 4096));
	EXPECT_TRUE(region_all_ones(pages, 4096 - 256) &&
		    region_all_ones(pages + 4096 + 256, 4096 - 256));
	try_xsetbv(0, XCR0_X87);
}

/* Loads that are not loads. */
static void hostile_region_hints(void)
{
	REQUIRE(region_ready());
	asm volatile("prefetcht0 (%0); prefetchnta (%0); clflush (%0); lfence; invlpg (%0)"
		     :
		     : "r"(region + MIDDLE)
		     : "memory");
	if ((cpuid(7).b & BIT32(23)) != 0) /* CLFLUSHOPT */
		asm volatile("clflushopt (%0)" : : "r"(region + MIDDLE) : "memory");
	if ((cpuid(1).c & CPUID1_ECX_MONITOR) == 0) {
		trap_clear();
		asm volatile(TRY_BEGIN "monitor" TRY_END
			     :
			     : "a"(region + MIDDLE), "c"(0), "d"(0)
			     : "memory");
		EXPECT_EQ(EXC_UD, trap_vector());
	}
	EXPECT_TRUE(region_all_ones(region + MIDDLE, 64));
}

#define ROW(test)                                                                            \
	{                                                                                    \
		.name = "hostile_" #test, .run = hostile_##test, .flags = T_KENSHO | T_NAMED \
	}

static const struct test t_hostile_vector_tests[] = {
	ROW(region_xsave), ROW(region_undecodable), ROW(region_rare_stores),
	ROW(region_sse),   ROW(region_avx),         ROW(region_hints),
};
TEST_GROUP(t_hostile_vector);
