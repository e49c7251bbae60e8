/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Division by an emulated operand against the processor this test runs on, with #DE where it raises
 * one; and SMSW, which a CPU runs with a CR0 of its own.
 */
#include "arch/x86/defs/cr.h"
#include "arch/x86/defs/vector.h"
#include "core/emul/emul_internal.h"
#include "tests/host/emul/exec_native.h"

#include <setjmp.h>
#include <signal.h>

static sigjmp_buf divided;

static void on_fpe(int sig)
{
	siglongjmp(divided, 1);
}

struct division {
	const char *text;
	u32 size;
	u8 bytes[4], len;
};

/* clang-format off */
static const struct division divisions[] = {
	{ "divb (%rbx)",  1, { 0xf6, 0x33 }, 2 },
	{ "divw (%rbx)",  2, { 0x66, 0xf7, 0x33 }, 3 },
	{ "divl (%rbx)",  4, { 0xf7, 0x33 }, 2 },
	{ "divq (%rbx)",  8, { 0x48, 0xf7, 0x33 }, 3 },
	{ "idivb (%rbx)", 1, { 0xf6, 0x3b }, 2 },
	{ "idivw (%rbx)", 2, { 0x66, 0xf7, 0x3b }, 3 },
	{ "idivl (%rbx)", 4, { 0xf7, 0x3b }, 2 },
	{ "idivq (%rbx)", 8, { 0x48, 0xf7, 0x3b }, 3 },
};
/* clang-format on */

/* False: #DE. */
static bool native_divide(const struct division *d, u64 *rax, u64 *rdx, u64 rbx)
{
	const void *code = native_code(d->bytes, d->len);
	u64 a = *rax, c = *rdx;

	if (sigsetjmp(divided, 1) != 0)
		return false;
	__asm__ volatile("call *%3" : "+a"(a), "+d"(c) : "b"(rbx), "r"(code) : "memory", "cc");
	*rax = a;
	*rdx = c;
	return true;
}

/* Often a dividend that fits, often one at the limit. */
static void choose(u64 *rax, u64 *rdx, u64 *divisor, u32 size)
{
	static const u64 edges[] = {
		0, 1, 0x7f, 0x80, 0xff, 0x8000, 0x80000000, 1ull << 63, ~0ull
	};
	u64 mask = size_mask(size), how = test_rng() % 4;

	*divisor = how == 0 ? edges[test_rng() % ARRAY_SIZE(edges)] : test_rng();
	*rax = how == 1 ? edges[test_rng() % ARRAY_SIZE(edges)] : test_rng();
	*rdx = test_rng();
	if (how == 2) /* a small quotient */
		*rdx = (*divisor & mask) != 0 ? test_rng() % (*divisor & mask) : 0;
	if (how == 3) /* sign-extended */
		*rdx = (*rax & (mask ^ mask >> 1)) ? ~0ull : 0;
	if (size == 1)
		*rax = (*rax & 0xff) | (*rdx & 0xff) << 8 | (test_rng() & ~0xffffull);
}

static void test_division_agrees_with_the_cpu(void)
{
	u32 faults = 0, results = 0;

	EXPECT_TRUE(signal(SIGFPE, on_fpe) != SIG_ERR);
	setup();
	for (u32 i = 0; i < 4000; i++) {
		const struct division *d = &divisions[i % ARRAY_SIZE(divisions)];
		u64 linear = PAGE_GVA + test_rng() % (PAGE_SIZE - 8), rax, rdx, divisor;

		choose(&rax, &rdx, &divisor, d->size);
		fill_random();
		memcpy(buffer + (linear - PREV_GVA), &divisor, 8);
		copy_to_guest();
		paged_code(0x100, d->bytes, d->len);
		paged_vp.regs.rax = rax;
		paged_vp.regs.rdx = rdx;
		paged_vp.regs.rbx = linear;
		paged_vp.event.info = 0;
		if (native_divide(d, &rax, &rdx, host_of(linear))) {
			results++;
			EXPECT_EQ(EXIT_NEXT_DECODED, emulate(reported_gpa(linear)));
			EXPECT_EQ(-1, paged_exception());
		} else {
			faults++;
			EXPECT_EQ(EXIT_RESUME, emulate(reported_gpa(linear)));
			EXPECT_EQ(EXC_DE, paged_exception());
		}
		EXPECT_EQ(rax, paged_vp.regs.rax);
		EXPECT_EQ(rdx, paged_vp.regs.rdx);
		expect_same_memory();
	}
	EXPECT_GE(faults, 500);
	EXPECT_GE(results, 500);
}

/* What the guest reads of CR0: bits that the hypervisor owns come from the shadow. */
static void test_smsw_stores_the_guests_cr0(void)
{
	setup();
	memset(page, 0x55, 16);
	paged_vp.regs.rbx = PAGE_GVA;
	fake.vmcs[VMCS_GUEST_CR0] |= CR0_TS | CR0_NE;
	fake.vmcs[VMCS_CR0_GUEST_HOST_MASK] = CR0_NE;
	fake.vmcs[VMCS_CR0_READ_SHADOW] = 0;
	CODE(0x48, 0x0f, 0x01, 0x23); /* smsw [rbx]: 16 bits whatever the prefix says */
	EXPECT_EQ(EXIT_NEXT_DECODED, emulate(PAGE_GPA));
	EXPECT_EQ((fake.vmcs[VMCS_GUEST_CR0] & ~CR0_NE) & 0xff, page[0]);
	EXPECT_EQ(0, page[1]);
	EXPECT_EQ(0x55, page[2]);
}

/* The largest quotients: one more negative than positive. */
static void test_signed_quotients_at_their_limits(void)
{
	static const struct {
		u64 hi, lo, by, quotient; /* bytes */
		err_t err;
	} rows[] = {
		{ 0x00, 0x7f, 1, 0x7f, ERR_NONE },    { 0x00, 0x80, 1, 0, ERR_RANGE },
		{ 0xff, 0x80, 1, 0x80, ERR_NONE },    { 0xff, 0x7f, 1, 0, ERR_RANGE },
		{ 0x00, 0x80, 0xff, 0x80, ERR_NONE }, { 0x00, 0x81, 0xff, 0, ERR_RANGE },
		{ 0xff, 0x81, 0xff, 0x7f, ERR_NONE }, { 0xff, 0x80, 0xff, 0, ERR_RANGE },
	};

	for (u32 i = 0; i < ARRAY_SIZE(rows); i++) {
		u64 hi = rows[i].hi, lo = rows[i].lo;

		EXPECT_EQ(rows[i].err, alu_divide(1, &hi, &lo, rows[i].by, true));
		if (rows[i].err == ERR_NONE)
			EXPECT_EQ(rows[i].quotient, lo);
	}
}

TEST_MAIN(TEST(test_signed_quotients_at_their_limits), TEST(test_division_agrees_with_the_cpu),
	  TEST(test_smsw_stores_the_guests_cr0))
