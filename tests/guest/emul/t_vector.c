// SPDX-License-Identifier: BSD-2-Clause
// Emulated moves of vector registers and emulated arithmetic: what reaches the APIC page and the
// hypervisor's region, and what reaches the registers.

#include "arch/x86/defs/apic.h"
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/lib/bits.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/apic.h"
#include "tests/guest/lib/boot.h"
#include "tests/guest/lib/cpu.h"

#define ONES64 ~0ull

static u64 region;
static u64 ymm[4] ALIGNED(32);

static void vector_on(void)
{
	u64 len;

	write_cr4(read_cr4() | CR4_OSFXSR);
	EXPECT_TRUE(boot_hv_region(&region, &len));
}

static bool avx_on(void)
{
	vector_on();
	if ((cpuid(1).c & CPUID1_ECX_AVX) == 0) {
		test_skip("no AVX");
		return false;
	}
	write_cr4(read_cr4() | CR4_OSXSAVE);
	EXPECT_EQ(NO_FAULT, try_xsetbv(0, XCR0_X87 | XCR0_SSE | XCR0_AVX));
	return true;
}

/* The store is dropped: the page is not a scratch page that would show it. */
#define STORE(text)                                                                   \
	({                                                                            \
		asm volatile(text : : "r"(region + 64), "a"(0) : "memory");           \
		for (u64 i_ = 64; i_ < 128; i_ += 8)                                  \
			EXPECT_EQ(ONES64, *(volatile u64 *)(uintptr_t)(region + i_)); \
	})

static void vector_region_stores(void)
{
	vector_on();
	asm volatile("pxor %%xmm0, %%xmm0; movdqa %%xmm0, %%xmm9" : : : "memory");
	STORE("movups %%xmm0, 1(%0)");
	STORE("movupd %%xmm9, 3(%0)");
	STORE("movaps %%xmm0, (%0)");
	STORE("movapd %%xmm9, (%0)");
	STORE("movdqu %%xmm0, 5(%0)");
	STORE("movdqa %%xmm9, 16(%0)");
	STORE("movss %%xmm0, (%0)");
	STORE("movsd %%xmm0, (%0)");
	STORE("movlps %%xmm0, (%0)");
	STORE("movhps %%xmm9, (%0)");
	STORE("movlpd %%xmm0, (%0)");
	STORE("movhpd %%xmm0, (%0)");
	STORE("movd %%xmm0, (%0)");
	STORE("movq %%xmm0, (%0)");
	STORE("movntps %%xmm9, (%0)");
	STORE("movntpd %%xmm0, (%0)");
	STORE("movntdq %%xmm0, (%0)");
	STORE("movntil %%eax, (%0)");
	STORE("movntiq %%rax, (%0)");
	/* Over the edge of a page. */
	asm volatile("movups %%xmm0, (%0)" : : "r"(region + 8192 - 8) : "memory");
	EXPECT_EQ(ONES64, *(volatile u64 *)(uintptr_t)(region + 8192 - 8));
	EXPECT_EQ(ONES64, *(volatile u64 *)(uintptr_t)(region + 8192));
}

static void vector_region_stores_avx(void)
{
	if (!avx_on())
		return;
	asm volatile("vpxor %%xmm0, %%xmm0, %%xmm0; vmovaps %%ymm0, %%ymm12" : : : "memory");
	STORE("vmovups %%ymm0, 1(%0)");
	STORE("vmovupd %%xmm12, 1(%0)");
	STORE("vmovaps %%ymm12, (%0)");
	STORE("vmovdqu %%ymm0, 9(%0)");
	STORE("vmovdqa %%ymm0, (%0)");
	STORE("vmovss %%xmm0, (%0)");
	STORE("vmovsd %%xmm12, (%0)");
	STORE("vmovlps %%xmm0, (%0)");
	STORE("vmovhpd %%xmm0, (%0)");
	STORE("vmovd %%xmm0, (%0)");
	STORE("vmovq %%xmm12, (%0)");
	STORE("vmovntps %%ymm0, (%0)");
	STORE("vmovntdq %%ymm0, (%0)");
	try_xsetbv(0, XCR0_X87);
}

/* Loads see the register in the first 4 bytes of its slot, and nothing else. */
static void vector_apic_loads(void)
{
	u64 at = APIC_BASE_DEFAULT + APIC_VERSION;
	u64 version = apic_read(APIC_VERSION);

	vector_on();
	asm volatile("movups (%0), %%xmm10; movups %%xmm10, (%1)" : : "r"(at), "r"(ymm) : "memory");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(0, ymm[1]);
	asm volatile("pcmpeqd %%xmm3, %%xmm3; movd (%0), %%xmm3; movups %%xmm3, (%1)"
		     :
		     : "r"(at), "r"(ymm)
		     : "memory");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(0, ymm[1]);
	asm volatile("pcmpeqd %%xmm4, %%xmm4; movhps (%0), %%xmm4; movups %%xmm4, (%1)"
		     :
		     : "r"(at), "r"(ymm)
		     : "memory");
	EXPECT_EQ(ONES64, ymm[0]);
	EXPECT_EQ(version, ymm[1]);
	asm volatile("pcmpeqd %%xmm5, %%xmm5; movlpd (%0), %%xmm5; movups %%xmm5, (%1)"
		     :
		     : "r"(at), "r"(ymm)
		     : "memory");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(ONES64, ymm[1]);
}

static void vector_apic_stores(void)
{
	u64 tpr = APIC_BASE_DEFAULT + APIC_TPR;

	vector_on();
	asm volatile("movd %0, %%xmm1; movd %%xmm1, (%1)" : : "r"(0x30), "r"(tpr) : "memory");
	EXPECT_EQ(0x30, apic_read(APIC_TPR));
	asm volatile("movd %0, %%xmm14; movss %%xmm14, (%1)" : : "r"(0x40), "r"(tpr) : "memory");
	EXPECT_EQ(0x40, apic_read(APIC_TPR));
	asm volatile("movd %0, %%xmm2; movdqa %%xmm2, (%1)" : : "r"(0x50), "r"(tpr) : "memory");
	EXPECT_EQ(0x50, apic_read(APIC_TPR));
	asm volatile("movntil %0, (%1)" : : "r"(0x20), "r"(tpr) : "memory");
	EXPECT_EQ(0x20, apic_read(APIC_TPR));
	apic_write(APIC_TPR, 0);
}

/* What a load does to the register above the bytes it loads: SSE nothing, VEX clears. */
static void vector_upper_halves(void)
{
	u64 at = APIC_BASE_DEFAULT + APIC_VERSION;
	u64 version = apic_read(APIC_VERSION);

	if (!avx_on())
		return;
#define ONES       "vpcmpeqd %%xmm6, %%xmm6, %%xmm6; vinsertf128 $1, %%xmm6, %%ymm6, %%ymm6; "
#define LOAD(text) asm volatile(ONES text "; vmovups %%ymm6, (%1)" : : "r"(at), "r"(ymm) : "memory")
	LOAD("movups (%0), %%xmm6");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(0, ymm[1]);
	EXPECT_EQ(ONES64, ymm[2]);
	EXPECT_EQ(ONES64, ymm[3]);
	LOAD("vmovups (%0), %%xmm6");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(0, ymm[2]);
	EXPECT_EQ(0, ymm[3]);
	LOAD("vmovss (%0), %%xmm6");
	EXPECT_EQ(version, ymm[0]);
	EXPECT_EQ(0, ymm[1]);
	EXPECT_EQ(0, ymm[2]);
	LOAD("vmovhps (%0), %%xmm6, %%xmm6");
	EXPECT_EQ(ONES64, ymm[0]);
	EXPECT_EQ(version, ymm[1]);
	EXPECT_EQ(0, ymm[2]);
	LOAD("vmovdqu -16(%0), %%ymm6"); /* two slots: the ID, the version */
	EXPECT_EQ(apic_read(APIC_ID), ymm[0]);
	EXPECT_EQ(version, ymm[2]);
	EXPECT_EQ(0, ymm[3]);
	try_xsetbv(0, XCR0_X87);
}

/* Switched off, the CPU refuses before the access. */
static void vector_off(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	trap_clear();
	write_cr0(read_cr0() | CR0_TS);
	asm volatile(TRY_BEGIN "movups (%0), %%xmm0" TRY_END : : "r"(APIC_BASE_DEFAULT) : "memory");
	EXPECT_EQ(EXC_NM, trap_vector());
	write_cr0(read_cr0() & ~CR0_TS);
	write_cr4(read_cr4() & ~CR4_OSFXSR);
	trap_clear();
	asm volatile(TRY_BEGIN "movups (%0), %%xmm0" TRY_END : : "r"(APIC_BASE_DEFAULT) : "memory");
	EXPECT_EQ(EXC_UD, trap_vector());
}

/*
 * Arithmetic on all-ones: the result in RAX, the flags CF, ZF and SF, and the store dropped.
 * CF is set before.
 */
static void alu(const char *name, u64 rax, u64 flags, u64 want_rax, u64 want_flags)
{
	flags &= 0xc1;
	EXPECT_AT(rax == want_rax && flags == want_flags, "%s: rax 0x%llx, flags 0x%llx", name, rax,
		  flags);
	EXPECT_AT(*(volatile u64 *)(uintptr_t)(region + 64) == ONES64, "%s", name);
}

#define ALU(text, in, want_rax, want_flags)                           \
	({                                                            \
		u64 rax_ = (in), flags_;                              \
		asm volatile("stc\n\t" text "\n\tpushfq; pop %1"      \
			     : "+a"(rax_), "=&r"(flags_)              \
			     : "r"(region + 64), "c"(0x8b), "S"(0ull) \
			     : "memory", "cc");                       \
		alu(text, rax_, flags_, want_rax, want_flags);        \
	})

#define CF 0x01
#define ZF 0x40
#define SF 0x80

static void vector_region_alu(void)
{
	vector_on();
	ALU("addl %%eax, (%2)", 5, 5, CF);
	ALU("addb $1, (%2)", 5, 5, CF | ZF);
	ALU("orw %%ax, (%2)", 5, 5, SF);
	ALU("adcq %%rax, (%2)", 0, 0, CF | ZF);
	ALU("sbbl $0, (%2)", 9, 9, SF);
	ALU("andb $0xf, (%2)", 9, 9, 0);
	ALU("subq %%rax, (%2)", 1, 1, SF);
	ALU("xorl %%eax, (%2)", ONES64, ONES64, ZF);
	ALU("cmpl %%eax, (%2)", 1, 1, SF);
	ALU("testb $0x80, (%2)", 1, 1, SF);
	ALU("incl (%2)", 1, 1, CF | ZF);
	ALU("decb (%2)", 1, 1, CF | SF);
	ALU("negq (%2)", 1, 1, CF);
	ALU("notw (%2)", 1, 1, CF);
	ALU("lock xaddl %%eax, (%2)", 7, 0xffffffff, CF);
	ALU("xchgb %%al, (%2)", 0x1200, 0x12ff, CF);
	ALU("lock cmpxchgw %%cx, (%2)", 0xffff, 0xffff, ZF);
	ALU("cmpxchgl %%ecx, (%2)", 1, 0xffffffff, CF);
	ALU("clc; lock btsl $3, (%2)", 1, 1, CF);
	ALU("clc; btrl %%ecx, -16(%2)", 1, 1, CF); /* bit 139: byte 17 */
	ALU("clc; btcq $63, (%2)", 1, 1, CF);
	ALU("push (%2); pop %%rax", 0, ONES64, CF);
	ALU("push $0; pop (%2)", 3, 3, CF);
	ALU("movzbl (%2), %%eax", 3, 0xff, CF);
	ALU("movswq (%2), %%rax", 3, ONES64, CF);
}

static const struct test t_vector_tests[] = {
	{ .name = "vector_region_stores", .run = vector_region_stores, .flags = T_KENSHO },
	{ .name = "vector_region_stores_avx", .run = vector_region_stores_avx, .flags = T_KENSHO },
	{ .name = "vector_region_alu", .run = vector_region_alu, .flags = T_KENSHO },
	{ .name = "vector_apic_loads", .run = vector_apic_loads, .flags = T_KENSHO },
	{ .name = "vector_apic_stores", .run = vector_apic_stores, .flags = T_KENSHO },
	{ .name = "vector_upper_halves", .run = vector_upper_halves, .flags = T_KENSHO },
	{ .name = "vector_off", .run = vector_off },
};
TEST_GROUP(t_vector);
