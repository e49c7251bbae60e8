/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hcall_mem.c: fast calls, whose input and output are registers, XMM registers too. */
#include "tests/host/hv/hcall_sim.h"

/* Registers of a fast call as the caller has them. */
static void set_registers(const u64 regs[14])
{
	for (u32 i = 0; i < HCALL_FAST_XMMS; i++)
		memcpy(fake.vector[i], &regs[2 + 2 * i], 16);
}

static u64 fast_call(u64 control, const u64 regs[14], bool xmm_input, bool xmm_output)
{
	last = (struct hcall_request){ .control = control | HCALL_FAST,
				       .in_gpa = regs[0],
				       .out_gpa = regs[1],
				       .xmm_input = xmm_input,
				       .xmm_output = xmm_output };
	set_registers(regs);
	return run_last();
}

/* The registers afterwards: those that a call has not changed are as they were. */
static void expect_registers(const u64 want[14])
{
	u64 got[14];

	memcpy(got, last.fast, 16);
	for (u32 i = 0; i < HCALL_FAST_XMMS; i++)
		memcpy(&got[2 + 2 * i], fake.vector[i], 16);
	EXPECT_MEMEQ(want, got, sizeof(got));
}

static void number_registers(u64 regs[14])
{
	for (u32 i = 0; i < 14; i++)
		regs[i] = 0x100 + i;
}

static void test_fast(void)
{
	u64 regs[14];

	init();
	number_registers(regs);
	EXPECT_EQ(0, fast_call(NOTE, regs, false, false));
	EXPECT_EQ(0x100, seen[0]);
	EXPECT_EQ(0x101, seen[1]);
	EXPECT_EQ(0, fast_call(SUM_VAR | 1 << 17, regs, false, false));
	EXPECT_EQ(4ull << 32, fast_call(reps(LIST_IN, 4, 0), regs, false, false));
	EXPECT_EQ(0x101, seen[2]);
	EXPECT_EQ(1ull << 32, fast_call(reps(SLOW_LIST, 1, 0), regs, false, false));
	expect_registers(regs);
}

/* Two registers hold 16 bytes, with the XMM registers 112. */
static void test_xmm_input(void)
{
	u64 regs[14], sum = 0;

	init();
	number_registers(regs);
	for (u32 i = 0; i < 14; i++)
		sum += regs[i];
	EXPECT_EQ(0, fast_call(SUM_VAR | 13 << 17, regs, true, false));
	EXPECT_EQ(sum, seen[0]);
	EXPECT_EQ(3, fast_call(SUM_VAR | 14 << 17, regs, true, false));
	EXPECT_EQ(28ull << 32, fast_call(reps(LIST_IN, 28, 0), regs, true, false));
	EXPECT_EQ(0x10d, seen[26]);
	EXPECT_EQ(3, fast_call(reps(LIST_IN, 29, 0), regs, true, false));
	EXPECT_EQ(3, fast_call(reps(LIST_IN, 4095, 0), regs, true, false));
	expect_registers(regs);
}

/* Without those registers it is #UD, whatever else is wrong with it but what comes first. */
static void test_xmm_input_not_offered(void)
{
	static const u64 undefined[] = { SUM_VAR | 2 << 17, SUM_VAR | 1023 << 17,
					 LIST_IN | 5ull << 32, LIST_IN | 4095ull << 32,
					 LIST_IN | 5ull << 32 | 9ull << 48 };
	u64 regs[14];

	init();
	number_registers(regs);
	for (u32 i = 0; i < ARRAY_SIZE(undefined); i++) {
		EXPECT_EQ(~0ull, fast_call(undefined[i], regs, false, true));
		EXPECT_EQ(HCALL_UNDEFINED, last_end);
	}
	EXPECT_EQ(3, fast_call(SUM_VAR | 2 << 17 | BIT64(63), regs, false, false));
	EXPECT_EQ(2, fast_call(0x77 | 2 << 17, regs, false, false));
	EXPECT_EQ(0, runs);
}

/* Output lies behind the last register with input; what it does not reach is kept. */
static void test_xmm_output(void)
{
	u64 regs[14], want[14];

	init();
	number_registers(regs);
	memcpy(want, regs, sizeof(want));
	want[4] = 0x201; /* 20 bytes of input: up to XMM0 */
	EXPECT_EQ(0, fast_call(FAST_ADD, regs, true, true));
	expect_registers(want);
	regs[0] = 0xbad;
	want[0] = 0xbad;
	want[4] = regs[4];
	EXPECT_EQ(5, fast_call(FAST_ADD, regs, true, true)); /* an error: no output */
	expect_registers(want);
	runs = 0;
	EXPECT_EQ(3, fast_call(FAST_ADD, regs, true, false));
	EXPECT_EQ(0, runs);
}

static void test_xmm_output_of_lists(void)
{
	u64 regs[14], want[14];

	init();
	number_registers(regs);
	regs[0] = 1;
	memcpy(want, regs, sizeof(want));
	for (u32 i = 0; i < 5; i++)
		want[6 + i] = regs[1 + i] * regs[1 + i];
	EXPECT_EQ(5ull << 32, fast_call(reps(FAST_SQUARES, 5, 0), regs, true, true));
	expect_registers(want);
	/* 64 + 56 bytes are too many. */
	EXPECT_EQ(3, fast_call(reps(FAST_SQUARES, 7, 0), regs, true, true));
	/* The second half of a continued call. */
	memcpy(want, regs, sizeof(want));
	for (u32 i = 2; i < 5; i++)
		want[6 + i] = regs[1 + i] * regs[1 + i];
	EXPECT_EQ(5ull << 32, fast_call(reps(FAST_SQUARES, 5, 2), regs, true, true));
	expect_registers(want);
}

static void test_no_fast_form(void)
{
	u64 regs[14];

	init();
	number_registers(regs);
	EXPECT_EQ(5, fast_call(ADD, regs, true, true)); /* what its row says */
	EXPECT_EQ(5, fast_call(ADD | 1ull << 32, regs, true, true));
	EXPECT_EQ(3, fast_call(ADD | BIT64(27), regs, true, true));
	EXPECT_EQ(3, fast_call(reps(SQUARES, 1, 0), regs, true, true));
	EXPECT_EQ(0, runs);
}

/* Straight from the table, or through the parser: the same call. */
static void test_words(void)
{
	u64 regs[14];

	init();
	number_registers(regs);
	EXPECT_TRUE(hcall_words(&table, WORDS | HCALL_FAST) == words);
	EXPECT_TRUE(hcall_words(&table, NOTE | HCALL_FAST) == NULL);
	EXPECT_TRUE(hcall_words(&table, OFF | HCALL_FAST) == NULL);
	for (u32 bit = 8; bit < 64; bit++)
		EXPECT_TRUE(hcall_words(&table, (WORDS | HCALL_FAST) ^ BIT64(bit)) == NULL);
	EXPECT_EQ(0, fast_call(WORDS, regs, false, false));
	EXPECT_EQ(0x101, seen[1]);
	ram(IN)[0] = 0xbad;
	ram(IN)[1] = 0x77;
	EXPECT_EQ(5, call_at(WORDS, IN, OUT));
	EXPECT_EQ(0x77, seen[1]);
	EXPECT_EQ(5, call_at(WORD, IN, OUT));
	EXPECT_EQ(0, seen[1]); /* what is behind its input does not count */
	EXPECT_EQ(3, call_at(WORDS | 1ull << 32, IN, OUT));
	EXPECT_EQ(3, fast_call(WORDS | 1ull << 17, regs, false, false));
}

TEST_MAIN(TEST(test_fast), TEST(test_xmm_input), TEST(test_xmm_input_not_offered),
	  TEST(test_xmm_output), TEST(test_xmm_output_of_lists), TEST(test_no_fast_form),
	  TEST(test_words))
