// SPDX-License-Identifier: BSD-2-Clause
// Moves between MMX or SSE registers and the emulated RAM of testdev=on do what the CPU does on
// ordinary RAM, and raise what it raises.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/emul/both.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

/* What was loaded is stored again, beside a register that keeps what it had. */
#define SSE_LOAD(insn) \
	BOTH("movups 16(%%rsi), %%xmm3; " insn " (%%rbx), %%xmm3; movups %%xmm3, (%%rdi)", ARITH)
#define SSE_STORE(insn) BOTH("movups (%%rsi), %%xmm5; " insn " %%xmm5, (%%rbx)", ARITH)
#define SSE_BOTH(insn)           \
	({                       \
		SSE_LOAD(insn);  \
		SSE_STORE(insn); \
	})

static void vector_sse(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	SSE_BOTH("movups");
	SSE_BOTH("movupd");
	SSE_BOTH("movaps");
	SSE_BOTH("movapd");
	SSE_BOTH("movdqu");
	SSE_BOTH("movdqa");
	SSE_BOTH("movss");
	SSE_BOTH("movsd");
	SSE_BOTH("movlps");
	SSE_BOTH("movlpd");
	SSE_BOTH("movhps");
	SSE_BOTH("movhpd");
	SSE_BOTH("movd");
	SSE_BOTH("movq");
	SSE_LOAD("lddqu");
	SSE_STORE("movntps");
	SSE_STORE("movntpd");
	SSE_STORE("movntdq");
	BOTH_AT("movups (%%rbx), %%xmm0; movups %%xmm0, (%%rdi)", ARITH, BOTH_EDGE, false);
}

#define MMX_AT(text, where) BOTH_AT("fninit; " text "; emms", 0, where, false)
#define MMX(text)           MMX_AT(text, BOTH_MIDDLE)

/* The status word shows the state of the x87 unit behind the move: its stack is reset. */
static void vector_mmx(void)
{
	MMX("movq (%%rbx), %%mm1; movq %%mm1, (%%rdi)");
	MMX("movq (%%rsi), %%mm7; movq %%mm7, 5(%%rbx); movd %%mm7, %%eax");
	MMX("movq (%%rsi), %%mm2; movd (%%rbx), %%mm2; movq %%mm2, (%%rdi)");
	MMX("movq (%%rsi), %%mm3; movd %%mm3, 1(%%rbx)");
	MMX("movq (%%rsi), %%mm4; movntq %%mm4, (%%rbx)");
	MMX_AT("movq (%%rbx), %%mm5; movq %%mm5, (%%rdi)", BOTH_EDGE);
	MMX("fld1; movq (%%rbx), %%mm0; fnstsw %%ax");
	MMX("fld1; movq %%mm0, (%%rbx); fnstsw %%ax");
}

#define EXPECT_BOTH(want, text)                 \
	({                                      \
		BOTH(text, ARITH);              \
		EXPECT_EQ(want, trap_vector()); \
	})

static void faults_of_both(u32 mmx, u32 sse)
{
	EXPECT_BOTH(mmx, "movq (%%rbx), %%mm0");
	EXPECT_BOTH(mmx, "movq %%mm0, (%%rbx)");
	EXPECT_BOTH(mmx, "movd %%mm0, (%%rbx)");
	EXPECT_BOTH(sse, "movups (%%rbx), %%xmm0");
	EXPECT_BOTH(sse, "movss %%xmm0, (%%rbx)");
}

static void vector_faults(void)
{
	u64 cr0 = read_cr0();

	write_cr4(read_cr4() | CR4_OSFXSR);
	write_cr0(cr0 | CR0_TS);
	faults_of_both(EXC_NM, EXC_NM);
	write_cr0(cr0 | CR0_TS | CR0_EM);
	faults_of_both(EXC_UD, EXC_UD);
	write_cr0(cr0);
	write_cr4(read_cr4() & ~CR4_OSFXSR);
	EXPECT_BOTH(EXC_UD, "movups (%%rbx), %%xmm0");
	EXPECT_BOTH(NO_FAULT, "movq (%%rbx), %%mm0; emms");
	write_cr4(read_cr4() | CR4_OSFXSR);
	EXPECT_BOTH(EXC_GP, "movaps 1(%%rbx), %%xmm0");
	EXPECT_BOTH(EXC_GP, "movdqa %%xmm0, 8(%%rbx)");
	EXPECT_BOTH(EXC_GP, "movntps %%xmm0, 4(%%rbx)");
	EXPECT_BOTH(NO_FAULT, "movdqu %%xmm0, 1(%%rbx)");
}

/* 1 / 0, unmasked: the next MMX move raises it, SSE does not look. */
#define DIVIDE_BY_0 \
	"fninit; push $0x37b; fldcw (%%rsp); pop %%rax; fldz; fld1; fdiv %%st(1), %%st; "

static void vector_pending_x87(void)
{
	write_cr4(read_cr4() | CR4_OSFXSR);
	EXPECT_BOTH(EXC_MF, DIVIDE_BY_0 "movq %%mm0, (%%rbx)");
	EXPECT_BOTH(EXC_MF, DIVIDE_BY_0 "movq (%%rbx), %%mm0");
	EXPECT_BOTH(EXC_MF, DIVIDE_BY_0 "movd (%%rbx), %%mm0");
	EXPECT_BOTH(NO_FAULT, DIVIDE_BY_0 "movups (%%rbx), %%xmm0; fnclex");
	asm volatile("fninit");
}

static const struct test t_testdev_vector_tests[] = {
	TESTDEV_ROW(vector_sse),
	TESTDEV_ROW(vector_mmx),
	TESTDEV_ROW(vector_faults),
	TESTDEV_ROW(vector_pending_x87),
};
TEST_GROUP(t_testdev_vector);
