/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hcall_mem.c: calls in memory, lists and their continuation, by the TLFS's "Hypercall
 * Interface". */
#include "tests/host/hv/hcall_sim.h"

#include "tests/host/fakes/far.h"

static void test_simple(void)
{
	init();
	ram(IN)[0] = 40;
	ram(IN)[1] = 2;
	EXPECT_EQ(0, call_at(ADD, IN, OUT));
	EXPECT_EQ(42, ram(OUT)[0]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[1]);
	EXPECT_EQ(HCALL_DONE, last_end);
	/* An error of the handler: no output. */
	ram(IN)[0] = 0xbad;
	ram(OUT)[0] = 7;
	EXPECT_EQ(5, call_at(ADD, IN, OUT));
	EXPECT_EQ(7, ram(OUT)[0]);
	EXPECT_EQ(0, call_at(EXTENDED, IN, ~0ull)); /* nothing is written: no address matters */
	EXPECT_EQ(0xbad, seen[0]);
}

/* The private copy: in and out may be the same place. */
static void test_areas_may_overlap(void)
{
	init();
	ram(IN)[0] = 1;
	ram(IN)[1] = 2;
	EXPECT_EQ(0, call_at(ADD, IN, IN + 8));
	EXPECT_EQ(1, ram(IN)[0]);
	EXPECT_EQ(3, ram(IN)[1]);
}

static void test_unknown_and_denied(void)
{
	init();
	EXPECT_EQ(2, call_at(0, IN, OUT));
	EXPECT_EQ(2, call_at(0xff, IN, OUT));
	EXPECT_EQ(2, call_at(0x100, IN, OUT));
	EXPECT_EQ(2, call_at(0x7fff, IN, OUT));
	EXPECT_EQ(2, call_at(0x8000, IN, OUT));
	EXPECT_EQ(2, call_at(0x8010, IN, OUT));
	EXPECT_EQ(2, call_at(0xffff, IN, OUT));
	EXPECT_EQ(7, g.vp[0].counters.c[COUNTER_VMCALL_UNKNOWN]);
	/* Who may comes before the form. */
	EXPECT_EQ(6, call_at(OFF | HCALL_RSVDZ, IN + 1, OUT));
	EXPECT_EQ(6, call_at(NEVER | HCALL_RSVDZ, IN + 1, OUT));
	EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_HCALL_DENIED]);
	EXPECT_EQ(0, runs);
}

static void test_malformed(void)
{
	static const u64 wrong[] = {
		SQUARES | HCALL_FAST | 1ull << 32, /* no fast form */
		ADD | 1ull << 17,                  /* no variable header */
		ADD | 1ull << 32,                  /* no list */
		ADD | 1ull << 48,                  /* no list */
		SQUARES,                           /* an empty list */
		SQUARES | 1ull << 32 | 1ull << 48, /* starts behind the end */
		SQUARES | 3ull << 32 | 4ull << 48,
	};

	init();
	for (u32 i = 0; i < ARRAY_SIZE(wrong); i++)
		EXPECT_EQ(3, call_at(wrong[i], IN, OUT));
	for (u32 bit = 0; bit < 64; bit++) {
		if (BIT64(bit) & HCALL_RSVDZ)
			EXPECT_EQ(3, call_at(ADD | BIT64(bit), IN, OUT));
	}
	EXPECT_EQ(0, runs);
}

static void test_places(void)
{
	u64 end = GUEST_RAM_BASE + GUEST_RAM_BYTES;

	init();
	for (u32 off = 1; off < 8; off++) {
		EXPECT_EQ(4, call_at(ADD, IN + off, OUT));
		EXPECT_EQ(4, call_at(ADD, IN, OUT + off));
	}
	EXPECT_EQ(0, call_at(ADD, IN + 4096 - 16, OUT + 4096 - 8)); /* up to the end */
	EXPECT_EQ(4, call_at(ADD, IN + 4096 - 8, OUT));             /* across pages */
	EXPECT_EQ(0, call_at(reps(SQUARES, 511, 0), IN, OUT) & 0xffff);
	EXPECT_EQ(4, call_at(reps(SQUARES, 512, 0), IN, OUT));
	EXPECT_EQ(4, call_at(reps(SQUARES, 4095, 0), IN, OUT));
	EXPECT_EQ(0, call_at(reps(SQUARES, 510, 0), IN, OUT + 16) & 0xffff);
	EXPECT_EQ(4, call_at(reps(SQUARES, 510, 0), IN, OUT + 24));
	runs = 0;
	/* Memory that is not there; nothing was done. */
	EXPECT_EQ(3, call_at(ADD, end, OUT));
	EXPECT_EQ(3, call_at(ADD, IN, end));
	EXPECT_EQ(3, call_at(ADD, IN, 0xfee00000));
	EXPECT_EQ(3, call_at(ADD, IN, ~0ull & ~4095ull));
	EXPECT_EQ(0, runs);
}

static void test_rep(void)
{
	init();
	ram(IN)[0] = 10;
	for (u64 i = 0; i < 5; i++)
		ram(IN)[1 + i] = i;
	EXPECT_EQ(5ull << 32, call_at(reps(SQUARES, 5, 0), IN, OUT));
	for (u64 i = 0; i < 5; i++)
		EXPECT_EQ(i * i * 10, ram(OUT)[i]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[5]);
	EXPECT_EQ(1, runs);
}

/* A handler that stops early: the guest executes the call again, and sees the sum in the end. */
static void test_continuation(void)
{
	u64 control = reps(SQUARES, 7, 0), result = 0;

	init();
	budget = 3;
	ram(IN)[0] = 1;
	for (u64 i = 0; i < 7; i++)
		ram(IN)[1 + i] = i + 2;
	for (u32 turn = 1; turn <= 3; turn++) {
		result = call_at(control, IN, OUT);
		EXPECT_EQ(turn < 3 ? HCALL_AGAIN : HCALL_DONE, last_end);
		EXPECT_EQ(turn, runs);
		if (turn < 3)
			EXPECT_EQ(reps(SQUARES, 7, 3 * turn), last.control);
		for (u64 i = 0; i < 7; i++)
			EXPECT_EQ(i < 3 * turn ? (i + 2) * (i + 2) : 0xa5a5a5a5a5a5a5a5ull,
				  ram(OUT)[i]);
		control = last.control;
	}
	EXPECT_EQ(7ull << 32, result);
}

/* The index of the element that failed, from the beginning of the list; those before are out. */
static void test_rep_error(void)
{
	init();
	fail_at = 14;
	ram(IN)[0] = 1;
	for (u64 i = 0; i < 6; i++)
		ram(IN)[1 + i] = 10 + i;
	EXPECT_EQ(4ull << 32 | 5, call_at(reps(SQUARES, 6, 1), IN, OUT));
	EXPECT_EQ(HCALL_DONE, last_end);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[0]);
	EXPECT_EQ(121, ram(OUT)[1]);
	EXPECT_EQ(169, ram(OUT)[3]);
	EXPECT_EQ(0xa5a5a5a5a5a5a5a5ull, ram(OUT)[4]);
}

static void test_variable_header(void)
{
	init();
	ram(IN)[0] = 100;
	for (u64 i = 1; i <= 511; i++)
		ram(IN)[i] = i;
	EXPECT_EQ(0, call_at(SUM_VAR, IN, 0));
	EXPECT_EQ(100, seen[0]);
	EXPECT_EQ(0, call_at(SUM_VAR | 3 << 17, IN, 0));
	EXPECT_EQ(106, seen[0]);
	EXPECT_EQ(0, call_at(SUM_VAR | 511 << 17, IN, 0));
	EXPECT_EQ(100 + 511 * 512 / 2, seen[0]);
	EXPECT_EQ(4, call_at(SUM_VAR | 512 << 17, IN, 0));
	EXPECT_EQ(4, call_at(SUM_VAR | 1023 << 17, IN, 0));
}

/* A slow handler stops within 50 us, and the guest goes on from there. */
static void test_no_call_takes_long(void)
{
	u64 control = reps(SLOW_LIST, 12, 0), start;

	init();
	do {
		start = fake.tsc;
		(void)call_at(control, IN, OUT);
		EXPECT_TRUE(fake.tsc - start < GUEST_TSC_HZ / 20000);
		control = last.control;
	} while (last_end == HCALL_AGAIN);
	EXPECT_EQ(12ull << 32, last.result);
	EXPECT_EQ(4, runs);
}

/* In or out, the page is not there yet: the call is not refused, and runs once. */
static void test_areas_that_are_not_there_yet(void)
{
	static const u64 far[] = { IN, OUT };

	for (u32 i = 0; i < ARRAY_SIZE(far); i++) {
		init();
		fake.tsc_step = GUEST_TSC_HZ / 10000;
		fake_far_add(&g.p, far[i], far[i] + 0x1000);
		ram(IN)[0] = 40;
		ram(IN)[1] = 2;
		EXPECT_EQ(HCALL_SUCCESS, call_at(ADD, IN, OUT));
		EXPECT_EQ(42, *ram(OUT));
		EXPECT_EQ(1, runs);
		EXPECT_EQ(2, g.vp[0].counters.c[COUNTER_PAGE_WAIT]);
		EXPECT_EQ(0, fake_far.pinned);
		fake_far.never = true;
		EXPECT_EQ(HCALL_INVALID_INPUT, call_at(ADD, IN, OUT));
		EXPECT_EQ(1, runs);
	}
}

TEST_MAIN(TEST(test_simple), TEST(test_areas_may_overlap), TEST(test_unknown_and_denied),
	  TEST(test_malformed), TEST(test_places), TEST(test_rep), TEST(test_continuation),
	  TEST(test_rep_error), TEST(test_variable_header), TEST(test_no_call_takes_long),
	  TEST(test_areas_that_are_not_there_yet))
