// SPDX-License-Identifier: BSD-2-Clause
// XSETBV and XCR0: refusals of the SDM, and that a legal value takes effect.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"
#include "tests/guest/lib/str.h"

static bool xcr_ready(void)
{
	if ((cpuid(1).c & CPUID1_ECX_XSAVE) == 0) {
		test_skip("no XSAVE");
		return false;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	return true;
}

static u64 xcr0_supported(void)
{
	struct cpuid_regs r = cpuid2(0xd, 0);

	return (u64)r.d << 32 | r.a;
}

static void xcr_needs_osxsave(void)
{
	if (xcr_ready()) {
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
		EXPECT_EQ(EXC_UD, try_xsetbv(0, 1));
	}
}

static void xcr_bad_values(void)
{
	static const u64 bad[] = {
		0,
		XCR0_SSE,                                     /* without x87 */
		XCR0_X87 | XCR0_AVX,                          /* AVX without SSE */
		XCR0_X87 | XCR0_BNDREGS,                      /* half of MPX */
		XCR0_X87 | XCR0_SSE | XCR0_OPMASK,            /* AVX-512 without AVX */
		XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_OPMASK, /* a third of AVX-512 */
		XCR0_X87 | BIT64(63),
		XCR0_X87 | BIT64(8), /* supervisor component */
		XCR0_X87 | BIT64(20),
		XCR0_X87 | XCR0_TILECFG,
	};

	if (!xcr_ready())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(bad); i++) {
		EXPECT_AT(try_xsetbv(0, bad[i]) == EXC_GP, "XCR0 = 0x%llx", bad[i]);
		EXPECT_EQ(0, trap_last()->error);
	}
	EXPECT_EQ(EXC_GP, try_xsetbv(1, 1));
	EXPECT_EQ(EXC_GP, try_xsetbv(0x80000000, 1));
	EXPECT_EQ(EXC_GP, try_xsetbv(0, ~xcr0_supported() | 7));
}

static void xcr_good_values(void)
{
	u64 all = xcr0_supported();
	const u64 good[] = { XCR0_X87, XCR0_X87 | XCR0_SSE, all & (XCR0_X87 | XCR0_SSE | XCR0_AVX),
			     all };
	u32 size = 0;

	if (!xcr_ready())
		return;
	for (u32 i = 0; i < ARRAY_SIZE(good); i++) {
		EXPECT_EQ(NO_FAULT, try_xsetbv(0, good[i]));
		EXPECT_EQ(good[i], xgetbv(0));
		/* CPUID.D.0:EBX is the size for what is enabled now. */
		EXPECT_GE(cpuid2(0xd, 0).b, size);
		size = cpuid2(0xd, 0).b;
	}
	EXPECT_EQ(cpuid2(0xd, 0).c, size);
	try_xsetbv(0, XCR0_X87 | XCR0_SSE);
	EXPECT_EQ(576, cpuid2(0xd, 0).b);
	if ((all & XCR0_AVX) != 0) {
		try_xsetbv(0, XCR0_X87 | XCR0_SSE | XCR0_AVX);
		EXPECT_EQ(832, cpuid2(0xd, 0).b);
	}
	try_xsetbv(0, XCR0_X87);
}

/* AVX works exactly when XCR0 says so: the value is loaded, not only remembered. */
static void xcr_takes_effect(void)
{
	if (!xcr_ready())
		return;
	if ((xcr0_supported() & XCR0_AVX) == 0) {
		test_skip("no AVX");
		return;
	}
	write_cr4(read_cr4() | CR4_OSFXSR);
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, 7));
	EXPECT_EQ(NO_FAULT, TRY_INSN("vxorps %%ymm0, %%ymm0, %%ymm0"));
	(void)cpuid(0); /* an exit in between */
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, 3));
	EXPECT_EQ(EXC_UD, TRY_INSN("vxorps %%ymm0, %%ymm0, %%ymm0"));
	(void)cpuid(0);
	EXPECT_EQ(3, xgetbv(0));
	try_xsetbv(0, 1);
}

static void xcr_upper_halves(void)
{
	if (!xcr_ready())
		return;
	trap_clear();
	asm volatile(TRY_BEGIN "xsetbv" TRY_END
		     :
		     : "a"(0xdeadbeef00000003ull), "d"(0xdeadbeef00000000ull),
		       "c"(0xdeadbeef00000000ull)
		     : "memory");
	EXPECT_EQ(NO_FAULT, trap_vector());
	EXPECT_EQ(3, xgetbv(0));
	try_xsetbv(0, 1);
}

static u64 user_xsetbv(u64 val)
{
	return try_xsetbv(0, val);
}

static void xcr_at_cpl3(void)
{
	if (xcr_ready()) {
		EXPECT_EQ(EXC_GP, user_call(user_xsetbv, 1));
		write_cr4(read_cr4() & ~CR4_OSXSAVE);
		EXPECT_EQ(EXC_UD, user_call(user_xsetbv, 1));
	}
}

/* SSE state survives exits: the hypervisor does not touch it. */
static void xcr_state_survives(void)
{
	static u64 in[2] ALIGNED(16) = { 0x0123456789abcdefull, 0xfedcba9876543210ull };
	static u64 out[2] ALIGNED(16);

	write_cr4(read_cr4() | CR4_OSFXSR);
	asm volatile("movdqa %1, %%xmm7\n\t"
		     "xor %%eax, %%eax\n\t"
		     "cpuid\n\t"
		     "mov $0x1b, %%ecx\n\t"
		     "rdmsr\n\t"
		     "wbinvd\n\t"
		     "movdqa %%xmm7, %0"
		     : "=m"(out)
		     : "m"(in)
		     : "rax", "rbx", "rcx", "rdx", "memory");
	EXPECT_EQ(in[0], out[0]);
	EXPECT_EQ(in[1], out[1]);
}

static const u8 ymm_in[64] ALIGNED(32) = {
	"every byte of two registers is carried to the area and back"
};

static void ymm_load(void)
{
	asm volatile("vmovdqa %0, %%ymm3; vmovdqa %1, %%ymm9"
		     :
		     : "m"(ymm_in[0]), "m"(ymm_in[32])
		     : "memory");
}

static void ymm_expect(const char *format)
{
	static u8 out[64] ALIGNED(32);

	asm volatile("vmovdqa %%ymm3, %0; vmovdqa %%ymm9, %1"
		     : "=m"(out[0]), "=m"(out[32])
		     :
		     : "memory");
	EXPECT_AT(memcmp(ymm_in, out, sizeof(out)) == 0, "%s", format);
}

/* Every kind of XSAVE that CPUID offers is one that the matching restore understands. */
static void xcr_save_formats(void)
{
	static u8 area[4][4096] ALIGNED(64);
	u32 offered = cpuid2(0xd, 1).a;

	if (!xcr_ready())
		return;
	if ((xcr0_supported() & XCR0_AVX) == 0) {
		test_skip("no AVX");
		return;
	}
	write_cr4(read_cr4() | CR4_OSFXSR);
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, 7));
	memset(area, 0, sizeof(area));
	ymm_load();
	asm volatile("xsave64 (%0)" : : "r"(area[0]), "a"(7), "d"(0) : "memory");
	if ((offered & CPUIDD_1_EAX_XSAVEOPT) != 0)
		asm volatile("xsaveopt64 (%0)" : : "r"(area[1]), "a"(7), "d"(0) : "memory");
	if ((offered & CPUIDD_1_EAX_XSAVEC) != 0)
		asm volatile("xsavec64 (%0)" : : "r"(area[2]), "a"(7), "d"(0) : "memory");
	if ((offered & CPUIDD_1_EAX_XSAVES) != 0)
		asm volatile("xsaves64 (%0)" : : "r"(area[3]), "a"(7), "d"(0) : "memory");
	for (u32 i = 0; i < 4; i++) {
		static const u32 bit[] = { 0, CPUIDD_1_EAX_XSAVEOPT, CPUIDD_1_EAX_XSAVEC,
					   CPUIDD_1_EAX_XSAVES };
		static const char *const name[] = { "XSAVE", "XSAVEOPT", "XSAVEC", "XSAVES" };

		if (i != 0 && (offered & bit[i]) == 0)
			continue;
		asm volatile("vzeroall");
		if (i == 3)
			asm volatile("xrstors64 (%0)" : : "r"(area[i]), "a"(7), "d"(0) : "memory");
		else
			asm volatile("xrstor64 (%0)" : : "r"(area[i]), "a"(7), "d"(0) : "memory");
		ymm_expect(name[i]);
	}
	try_xsetbv(0, 1);
}

static const struct test t_xcr_tests[] = {
	{ .name = "xcr_needs_osxsave", .run = xcr_needs_osxsave },
	{ .name = "xcr_bad_values", .run = xcr_bad_values },
	{ .name = "xcr_good_values", .run = xcr_good_values },
	{ .name = "xcr_takes_effect", .run = xcr_takes_effect },
	{ .name = "xcr_upper_halves", .run = xcr_upper_halves },
	{ .name = "xcr_at_cpl3", .run = xcr_at_cpl3 },
	{ .name = "xcr_state_survives", .run = xcr_state_survives },
	{ .name = "xcr_save_formats",
	  .run = xcr_save_formats,
	  .flags = T_BOCHS,
	  .why = "the emulator saves the compacted format where it does not restore it from" },
};
TEST_GROUP(t_xcr);
