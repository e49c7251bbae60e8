// SPDX-License-Identifier: BSD-2-Clause
// Instructions on the emulated RAM of testdev=on do what the CPU does on ordinary RAM.

#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "tests/guest/emul/both.h"
#include "tests/guest/groups.h"
#include "tests/guest/lib/cpu.h"

#define PORT_LATCH 0xe0

static void emul_compare_strings(void)
{
	BOTH_ALIKE("cmpsb", ARITH);
	BOTH_ALIKE("cmpsw", ARITH);
	BOTH_ALIKE("cmpsl", ARITH);
	BOTH_ALIKE("cmpsq", ARITH);
	BOTH_ALIKE("repe cmpsb", ARITH);
	BOTH_ALIKE("repe cmpsl", ARITH);
	BOTH_ALIKE("repne cmpsb", ARITH);
	BOTH_ALIKE("repne cmpsq", ARITH);
	BOTH("cmpsq", ARITH);
	BOTH_AT("cmpsl", ARITH, 0x1000 - 0xc2, false); /* DI over the edge of a page */
	BOTH_ALIKE("scasb", ARITH);
	BOTH_ALIKE("scasw", ARITH);
	BOTH_ALIKE("scasl", ARITH);
	BOTH_ALIKE("scasq", ARITH);
	BOTH_ALIKE("repe scasb", ARITH);
	BOTH_ALIKE("repe scasl", ARITH);
	BOTH_ALIKE("repne scasw", ARITH);
	BOTH_ALIKE("repne scasq", ARITH);
	BOTH("scasq", ARITH);
}

/* A port of the test devices: the I/O exit comes first, and its memory is emulated. */
static void emul_port_strings(void)
{
	outl(PORT_LATCH, 0xddccbbaa);
	BOTH_ALIKE("mov $0xe0, %%edx; rep insb", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; rep insl", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; insw", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; rep outsb; in (%%dx), %%eax", ARITH);
	BOTH_ALIKE("mov $0xe0, %%edx; outsl; in (%%dx), %%eax", ARITH);
}

/* Ports of the machine, page registers of the DMA controller: only the memory exits. */
static void emul_machine_port_strings(void)
{
	BOTH_ALIKE("mov $0x81, %%edx; rep insb", 0);
	BOTH_ALIKE("mov $0x80, %%edx; rep outsb; in (%%dx), %%al", 0);
	BOTH_ALIKE("mov $0x80, %%edx; outsb; insb", 0);
}

#define CF_OF 0x801ull
#define ZF    0x40ull
#define SHIFT (ARITH & ~0x10ull) /* AF is undefined */

static void emul_multiply(void)
{
	BOTH("mulb (%%rbx)", CF_OF);
	BOTH("mulw (%%rbx)", CF_OF);
	BOTH("mull (%%rbx)", CF_OF);
	BOTH("mulq (%%rbx)", CF_OF);
	BOTH("imulb (%%rbx)", CF_OF);
	BOTH("imulw (%%rbx)", CF_OF);
	BOTH("imull (%%rbx)", CF_OF);
	BOTH("imulq (%%rbx)", CF_OF);
	BOTH("imulw (%%rbx), %%cx", CF_OF);
	BOTH("imulq (%%rbx), %%rdx", CF_OF);
	BOTH("imull $-3, (%%rbx), %%eax", CF_OF);
	BOTH("imulq $0x12345678, (%%rbx), %%rax", CF_OF);
	BOTH_AT("imulq (%%rbx), %%rdx", CF_OF, BOTH_EDGE, false);
}

/* With #DE where the CPU raises it: nothing has changed then. */
static void emul_divide(void)
{
	BOTH("divb (%%rbx)", 0);
	BOTH("divw (%%rbx)", 0);
	BOTH("divl (%%rbx)", 0);
	BOTH("divq (%%rbx)", 0);
	BOTH("idivb (%%rbx)", 0);
	BOTH("idivw (%%rbx)", 0);
	BOTH("idivl (%%rbx)", 0);
	BOTH("idivq (%%rbx)", 0);
	BOTH("xor %%edx, %%edx; divl (%%rbx)", 0);
	BOTH("xor %%edx, %%edx; divq (%%rbx)", 0);
	BOTH("cltd; idivl (%%rbx)", 0);
	BOTH("cqto; idivq (%%rbx)", 0);
	BOTH("cqto; idivq (%%rbx)", 0);
	BOTH("movq $0, (%%rbx); divq (%%rbx)", 0);
	BOTH_AT("xor %%edx, %%edx; divq (%%rbx)", 0, BOTH_EDGE, false);
}

static void emul_shift_and_scan(void)
{
	BOTH("shldw $1, %%cx, (%%rbx)", SHIFT);
	BOTH("shldl $5, %%ecx, (%%rbx)", SHIFT & ~0x800ull);
	BOTH("shldq %%cl, %%rdx, (%%rbx)", SHIFT & ~0x800ull);
	BOTH("shrdw $1, %%cx, (%%rbx)", SHIFT);
	BOTH("shrdl $31, %%ecx, (%%rbx)", SHIFT & ~0x800ull);
	BOTH("shrdq %%cl, %%rdx, (%%rbx)", SHIFT & ~0x800ull);
	BOTH_AT("shrdq $9, %%rdx, (%%rbx)", SHIFT & ~0x800ull, BOTH_EDGE, false);
	BOTH("bsfw (%%rbx), %%ax", ZF);
	BOTH("bsfl (%%rbx), %%eax", ZF);
	BOTH("bsfq (%%rbx), %%rax", ZF);
	BOTH("bsrw (%%rbx), %%ax", ZF);
	BOTH("bsrl (%%rbx), %%eax", ZF);
	BOTH("bsrq (%%rbx), %%rax", ZF);
}

#define CONDITION(cc)                                                                              \
	({                                                                                         \
		BOTH("cmov" cc "l (%%rbx), %%eax; set" cc " 9(%%rbx)", ARITH);                     \
		BOTH("cmpq %%rax, (%%rbx); cmov" cc "q (%%rbx), %%rdx; set" cc " (%%rbx)", ARITH); \
	})

static void emul_conditions(void)
{
	CONDITION("o");
	CONDITION("no");
	CONDITION("b");
	CONDITION("ae");
	CONDITION("e");
	CONDITION("ne");
	CONDITION("be");
	CONDITION("a");
	CONDITION("s");
	CONDITION("ns");
	CONDITION("p");
	CONDITION("np");
	CONDITION("l");
	CONDITION("ge");
	CONDITION("le");
	CONDITION("g");
	BOTH("cmovcw (%%rbx), %%cx", ARITH);
}

/* Of memory it is 16 bits, also with REX.W; of CR0 what the guest sees. */
static void emul_smsw(void)
{
	BOTH("smsw (%%rbx)", ARITH);
	BOTH("rex.W smsw (%%rbx)", ARITH);
	BOTH("smsw (%%rbx); smsw %%eax; xor (%%rbx), %%ax", 0);
	write_cr0(read_cr0() | CR0_TS | CR0_MP);
	BOTH("smsw (%%rbx)", ARITH);
	write_cr0(read_cr0() & ~(CR0_TS | CR0_MP));
	EXPECT_EQ(EXC_UD, TRY_INSN(".byte 0xf0, 0x0f, 0x01, 0x24, 0x25, 0, 0, 0, 0xff")); /* LOCK */
}

static const struct test t_testdev_emul_tests[] = {
	TESTDEV_ROW(emul_compare_strings),
	TESTDEV_ROW(emul_port_strings),
	TESTDEV_ROW(emul_machine_port_strings),
	TESTDEV_ROW(emul_multiply),
	TESTDEV_ROW(emul_divide),
	TESTDEV_ROW(emul_shift_and_scan),
	TESTDEV_ROW(emul_conditions),
	TESTDEV_ROW(emul_smsw),
};
TEST_GROUP(t_testdev_emul);
