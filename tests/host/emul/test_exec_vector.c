/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moves between vector registers and an emulated page: the executor agrees with the processor this
 * test runs on, and the guest's vector state must be on.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/host/emul/exec_native.h"

/* clang-format off */
/* X(text, alignment of the operand) */
#define VECTORS(X) \
	X("movups (%rbx), %xmm1", 1) X("movups %xmm9, (%rbx)", 1) \
	X("movupd (%rbx), %xmm15", 1) X("movupd %xmm0, (%rbx)", 1) \
	X("movaps (%rbx), %xmm8", 16) X("movaps %xmm7, (%rbx)", 16) \
	X("movapd (%rbx), %xmm2", 16) X("movapd %xmm10, (%rbx)", 16) \
	X("movdqu (%rbx), %xmm3", 1) X("movdqu %xmm11, (%rbx)", 1) \
	X("movdqa (%rbx), %xmm4", 16) X("movdqa %xmm12, (%rbx)", 16) \
	X("movss (%rbx), %xmm5", 1) X("movss %xmm13, (%rbx)", 1) \
	X("movsd (%rbx), %xmm6", 1) X("movsd %xmm14, (%rbx)", 1) \
	X("movlps (%rbx), %xmm7", 1) X("movlps %xmm15, (%rbx)", 1) \
	X("movhps (%rbx), %xmm8", 1) X("movhps %xmm1, (%rbx)", 1) \
	X("movlpd (%rbx), %xmm9", 1) X("movhpd %xmm2, (%rbx)", 1) \
	X("movd (%rbx), %xmm10", 1) X("movd %xmm3, (%rbx)", 1) \
	X("movq (%rbx), %xmm11", 1) X("movq %xmm4, (%rbx)", 1) \
	X(".byte 0x66, 0x48, 0x0f, 0x6e, 0x03 # movq r/m64", 1) \
	X(".byte 0x66, 0x48, 0x0f, 0x7e, 0x03 # movq r/m64", 1) \
	X("movntps %xmm5, (%rbx)", 16) X("movntpd %xmm6, (%rbx)", 16) X("movntdq %xmm7, (%rbx)", 16) \
	X("lddqu (%rbx), %xmm12", 1) X("movntdqa (%rbx), %xmm13", 16) \
	X("vmovups (%rbx), %xmm1", 1) X("vmovups %xmm9, (%rbx)", 1) \
	X("vmovups (%rbx), %ymm2", 1) X("vmovups %ymm10, (%rbx)", 1) \
	X("vmovupd (%rbx), %ymm14", 1) X("vmovupd %ymm11, (%rbx)", 1) \
	X("vmovaps (%rbx), %ymm3", 32) X("vmovapd %ymm12, (%rbx)", 32) \
	X("vmovdqu (%rbx), %ymm4", 1) X("vmovdqu %ymm13, (%rbx)", 1) \
	X("vmovdqu (%rbx), %xmm5", 1) X("vmovdqa %xmm14, (%rbx)", 16) \
	X("vmovdqa (%rbx), %ymm6", 32) X("vmovss (%rbx), %xmm7", 1) X("vmovsd (%rbx), %xmm8", 1) \
	X("vmovss %xmm7, (%rbx)", 1) X("vmovsd %xmm8, (%rbx)", 1) \
	X("vmovlps (%rbx), %xmm9, %xmm10", 1) X("vmovhps (%rbx), %xmm11, %xmm3", 1) \
	X("vmovlpd %xmm12, (%rbx)", 1) X("vmovhpd %xmm13, (%rbx)", 1) \
	X("vmovd (%rbx), %xmm14", 1) X("vmovd %xmm15, (%rbx)", 1) \
	X("vmovq (%rbx), %xmm0", 1) X("vmovq %xmm1, (%rbx)", 1) \
	X("vmovntps %ymm2, (%rbx)", 32) X("vmovntdq %ymm4, (%rbx)", 32) \
	X("vlddqu (%rbx), %ymm5", 1) X("vmovntdqa (%rbx), %xmm6", 16)

#define EMIT_VECTOR(text, align) EMIT("exec_vectors", text)

static const struct row vectors[] = { VECTORS(ROW) };
VECTORS(EMIT_VECTOR)
/* clang-format on */

extern const u8 __start_exec_vectors[];

/* Run @code with YMM0-15 = @regs, stored back, and RBX = @rbx. */
void native_vectors(u64 regs[16][4], const void *code, u64 rbx);

#define EACH_YMM(X) \
	X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define LOAD_YMM(n)  "vmovdqu 32*" #n "(%r12), %ymm" #n "\n\t"
#define STORE_YMM(n) "vmovdqu %ymm" #n ", 32*" #n "(%r12)\n\t"

__asm__(".pushsection .text\n"
	"native_vectors:\n\t"
	"push %rbx\n\tpush %r12\n\tpush %r13\n\t"
	"mov %rdi, %r12\n\tmov %rdx, %rbx\n\t" EACH_YMM(LOAD_YMM) "call *%rsi\n\t" EACH_YMM(
		STORE_YMM) "vzeroupper\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tret\n"
			   ".popsection");

/* clang-format off */
#define MMX(X) \
	X("movq (%rbx), %mm1", 1) X("movq %mm7, (%rbx)", 1) X("movd (%rbx), %mm2", 1) \
	X("movd %mm3, (%rbx)", 1) X("movntq %mm4, (%rbx)", 1) \
	X(".byte 0x48, 0x0f, 0x6e, 0x2b # movq r/m64, %mm5", 1) \
	X(".byte 0x4c, 0x0f, 0x7e, 0x33 # movq %mm6, r/m64: REX.R is ignored", 1)
#define EMIT_MMX(text, align) EMIT("exec_mmx", text)

static const struct row mmx[] = { MMX(ROW) };
MMX(EMIT_MMX)

extern const u8 __start_exec_mmx[];

/* Run @code with MM0-7 = @regs, stored back, and RBX = @rbx. */
void native_mmx(u64 regs[8], const void *code, u64 rbx);

#define EACH_MMX(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define LOAD_MMX(n)  "movq 8*" #n "(%r12), %mm" #n "\n\t"
#define STORE_MMX(n) "movq %mm" #n ", 8*" #n "(%r12)\n\t"

__asm__(".pushsection .text\n"
	"native_mmx:\n\t"
	"push %rbx\n\tpush %r12\n\tpush %r13\n\t"
	"mov %rdi, %r12\n\tmov %rdx, %rbx\n\t" EACH_MMX(LOAD_MMX) "call *%rsi\n\t"
	EACH_MMX(STORE_MMX) "emms\n\tpop %r13\n\tpop %r12\n\tpop %rbx\n\tret\n"
	".popsection");
/* clang-format on */

/* Vector state is on in the guest. */
static void setup_vectors(void)
{
	setup();
	paged_vp.regs.rbx = PAGE_GVA;
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_OSFXSR | CR4_OSXSAVE;
	paged_vp.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX;
}

static void compare_vector(const u8 *rec, u64 linear)
{
	u64 regs[16][4];

	fill_random();
	for (u32 i = 0; i < 64; i++)
		regs[i / 4][i % 4] = test_rng();
	memcpy(fake.vector, regs, sizeof(regs));
	paged_code(0x100, rec + 1, rec[0]);
	paged_vp.regs.rbx = linear;
	native_vectors(regs, native_code(rec + 1, rec[0]), host_of(linear));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(reported_gpa(linear)));
	EXPECT_EQ(rec[0], paged_vp.insn_len);
	EXPECT_MEMEQ(fake.vector, regs, sizeof(regs));
	expect_same_memory();
}

static void test_exec_vectors_agree_with_the_cpu(void)
{
	const u8 *rec = __start_exec_vectors;

	if (!__builtin_cpu_supports("avx2")) {
		print_message("this CPU has no AVX2\n");
		skip();
	}
	setup_vectors();
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++, rec += 1 + rec[0]) {
		u64 align = vectors[i].flags;
		struct insn in;

		if (getenv("V") != NULL)
			print_message("%s\n", vectors[i].text);
		EXPECT_EQ(ERR_NONE, emul_decode(rec + 1, rec[0], EMUL_64, &in));
		EXPECT_EQ(EMUL_VMOV, in.op);
		for (u32 k = 0; k < 40; k++)
			compare_vector(rec,
				       PAGE_GVA + (test_rng() % (PAGE_SIZE - 32) & ~(align - 1)));
		for (u32 k = 1; align == 1 && k < in.opsize; k++) {
			compare_vector(rec, PAGE_GVA - k);
			compare_vector(rec, NEXT_GVA - k);
		}
	}
}

static void compare_mmx(const u8 *rec, u64 linear)
{
	u64 regs[8];

	fill_random();
	for (u32 i = 0; i < 8; i++)
		regs[i] = test_rng();
	memcpy(fake.mmx, regs, sizeof(regs));
	paged_code(0x100, rec + 1, rec[0]);
	paged_vp.regs.rbx = linear;
	native_mmx(regs, native_code(rec + 1, rec[0]), host_of(linear));
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(reported_gpa(linear)));
	EXPECT_MEMEQ(fake.mmx, regs, sizeof(regs));
	expect_same_memory();
}

static void test_exec_mmx_agrees_with_the_cpu(void)
{
	const u8 *rec = __start_exec_mmx;

	setup();
	for (size_t i = 0; i < ARRAY_SIZE(mmx); i++, rec += 1 + rec[0]) {
		for (u32 k = 0; k < 40; k++)
			compare_mmx(rec, PAGE_GVA + test_rng() % (PAGE_SIZE - 8));
		for (u32 k = 1; k < 4; k++) {
			compare_mmx(rec, PAGE_GVA - k);
			compare_mmx(rec, NEXT_GVA - k);
		}
	}
}

static void expect_mmx_fault(u8 opcode, int vector)
{
	u8 bytes[] = { 0x0f, opcode, 0x03 };

	paged_code(0x100, bytes, sizeof(bytes));
	paged_vp.event.info = 0;
	EXPECT_EQ(vector < 0 ? EXIT_NEXT_DECODED : EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(vector, paged_exception());
}

/* CR0 and a pending x87 exception, in the CPU's order; CR4 has no say. */
static void test_exec_mmx_must_be_on(void)
{
	static const u8 opcodes[] = { 0x6f, 0x7f };

	for (u32 i = 0; i < ARRAY_SIZE(opcodes); i++) {
		setup();
		paged_vp.regs.rbx = PAGE_GVA;
		fake.mmx[0] = 0x1234;
		memset(page, 0x55, 8);
		expect_mmx_fault(opcodes[i], -1);
		fake.mmx[0] = 0x1234;
		memset(page, 0x55, 8);
		fake.x87_pending = true;
		expect_mmx_fault(opcodes[i], EXC_MF);
		fake.vmcs[VMCS_GUEST_CR0] |= CR0_TS;
		expect_mmx_fault(opcodes[i], EXC_NM);
		fake.vmcs[VMCS_GUEST_CR0] |= CR0_EM;
		expect_mmx_fault(opcodes[i], EXC_UD);
		EXPECT_EQ(0x1234, fake.mmx[0]);
		EXPECT_EQ(0x55, page[0]);
	}
}

/* State that the guest has switched off is not touched: what the CPU says before any access. */
static void expect_vector_fault(bool vex, int vector)
{
	static const u8 legacy[] = { 0x0f, 0x10, 0x03 }, coded[] = { 0xc5, 0xfc, 0x10, 0x03 };

	paged_code(0x100, vex ? coded : legacy, vex ? sizeof(coded) : sizeof(legacy));
	paged_vp.event.info = 0;
	EXPECT_EQ(vector < 0 ? EXIT_NEXT_DECODED : EXIT_RESUME, emulate(PAGE_GPA));
	EXPECT_EQ(vector, paged_exception());
}

static void test_exec_vectors_must_be_on(void)
{
	setup_vectors();
	expect_vector_fault(false, -1);
	expect_vector_fault(true, -1);
	page_reads = 0;
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_TS;
	expect_vector_fault(false, EXC_NM);
	expect_vector_fault(true, EXC_NM);
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_EM;
	expect_vector_fault(false, EXC_UD);
	expect_vector_fault(true, EXC_NM); /* VEX does not look at EM */
	fake.vmcs[VMCS_GUEST_CR0] &= ~(CR0_EM | CR0_TS);
	fake.vmcs[VMCS_GUEST_CR4] &= ~CR4_OSFXSR;
	expect_vector_fault(false, EXC_UD);
	fake.vmcs[VMCS_GUEST_CR4] &= ~CR4_OSXSAVE;
	expect_vector_fault(true, EXC_UD);
	fake.vmcs[VMCS_GUEST_CR4] |= CR4_OSXSAVE;
	paged_vp.xcr0 = XCR0_X87 | XCR0_SSE;
	expect_vector_fault(true, EXC_UD);
	paged_vp.xcr0 |= XCR0_AVX;
	fake.vmcs[VMCS_GUEST_RFLAGS] |= RFLAGS_VM;
	expect_vector_fault(true, EXC_UD);
	EXPECT_EQ(0, page_reads);
}

TEST_MAIN(TEST(test_exec_mmx_agrees_with_the_cpu), TEST(test_exec_mmx_must_be_on),
	  TEST(test_exec_vectors_agree_with_the_cpu), TEST(test_exec_vectors_must_be_on))
