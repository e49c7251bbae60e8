/* SPDX-License-Identifier: BSD-2-Clause */
/* hv/hcall.c: which rows it takes, and calls in registers without a control word. */
#include "tests/host/hv/hcall_sim.h"

static s64 reg_call(struct vp *vp, u64 a0, u64 a1, u64 a2, u64 a3)
{
	return (s64)(a0 + a1 + a2 + a3);
}

static s64 reg_out_call(struct vp *vp, const u64 args[4], void *out)
{
	memcpy(out, args, 12);
	return (s64)args[3];
}

static void expect_add(err_t want, struct hcall_row row)
{
	static struct hcall_row kept;

	kept = row;
	EXPECT_EQ(want, hcall_add(&table, &kept, 1, true));
}

static void test_rows_must_be_sound(void)
{
	init();
	expect_add(ERR_BUSY, (struct hcall_row){ .nr = ADD, .reg = reg_call });
	expect_add(ERR_RANGE, (struct hcall_row){ .nr = 0x100, .reg = reg_call });
	expect_add(ERR_RANGE, (struct hcall_row){ .nr = 0x8010, .reg = reg_call });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = 0x8002, .reg = reg_call });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = FREE });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = FREE, .reg_out = reg_out_call });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = FREE, .reg = reg_call, .out_size = 8 });
	expect_add(ERR_INVAL,
		   (struct hcall_row){ .nr = FREE, .reg_out = reg_out_call, .out_size = 65 });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = FREE, .kind = HCALL_SIMPLE, .in_size = 8 });
	expect_add(ERR_INVAL,
		   (struct hcall_row){
			   .nr = FREE, .kind = HCALL_SIMPLE, .mem = note, .rep_in_size = 8 });
	expect_add(ERR_INVAL,
		   (struct hcall_row){
			   .nr = FREE, .kind = HCALL_SIMPLE, .mem = note, .in_size = 4097 });
	expect_add(ERR_INVAL, (struct hcall_row){ .nr = FREE,
						  .kind = HCALL_SIMPLE,
						  .mem = note,
						  .fast = true,
						  .no_fast_status = 5 });
	expect_add(ERR_INVAL,
		   (struct hcall_row){ .nr = FREE, .kind = HCALL_NOT_OFFERED, .mem = note });
	expect_add(ERR_NONE, (struct hcall_row){ .nr = FREE, .reg = reg_call });
}

/* Calls of words: simple, fast, up to three of them, no output. */
static void test_rows_of_words_must_be_sound(void)
{
	const struct hcall_row good = {
		.nr = FREE, .kind = HCALL_SIMPLE, .words = words, .in_size = 16, .fast = true
	};
	struct hcall_row row;

	init();
#define BAD(change)                         \
	do {                                \
		row = good;                 \
		row.change;                 \
		expect_add(ERR_INVAL, row); \
	} while (0)
	BAD(mem = note);
	BAD(kind = HCALL_REP);
	BAD(kind = HCALL_NOT_OFFERED);
	BAD(in_size = 0);
	BAD(in_size = 4);
	BAD(in_size = 32);
	BAD(out_size = 8);
	BAD(fast = false);
	BAD(variable_header = true);
#undef BAD
	expect_add(ERR_NONE, good);
}

static void test_register_calls(void)
{
	static const struct hcall_row reg_rows[] = {
		{ .nr = 20, .name = "reg", .reg = reg_call },
		{ .nr = 21, .name = "out", .reg_out = reg_out_call, .out_size = 12, .out_arg = 1 },
	};
	const u64 at = GUEST_RAM_BASE + 0x1ffb; /* any alignment, across pages */
	u64 args[4] = { 0x1111, at, 3, 0 };
	s64 result = -1;

	init();
	EXPECT_EQ(ERR_NONE, hcall_add(&table, reg_rows, ARRAY_SIZE(reg_rows), true));
	EXPECT_TRUE(table.reg[20] == reg_call && table.reg[21] == NULL && table.reg[OFF] == NULL);
	EXPECT_EQ(2, call_at(20, IN, OUT)); /* no call with a control word */
	EXPECT_EQ(ERR_NONE, hcall_reg_out(&g.vp[0], &reg_rows[1], args, &result));
	EXPECT_EQ(0, result);
	EXPECT_MEMEQ(args, g.ram + 0x1ffb, 12);
	EXPECT_EQ(0xa5, g.ram[0x1ffb + 12]);
	/* An error: nothing is written, the address does not matter. */
	args[1] = ~0ull;
	args[3] = (u64)-5;
	EXPECT_EQ(ERR_NONE, hcall_reg_out(&g.vp[0], &reg_rows[1], args, &result));
	EXPECT_EQ(-5, result);
	args[3] = 0;
	EXPECT_EQ(ERR_FAULT, hcall_reg_out(&g.vp[0], &reg_rows[1], args, &result));
}

TEST_MAIN(TEST(test_rows_must_be_sound), TEST(test_rows_of_words_must_be_sound),
	  TEST(test_register_calls))
