/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hv/hcall.c and hv/hcall_mem.c with the calls of an ABI that only this test has: fixed input and
 * output, lists, a variable header, in memory and in registers, by the TLFS's "Hypercall
 * Interface".
 */
#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
#include "tests/host/fakes/far.h"
#include "tests/host/fakes/rig.h"

static struct fake_guest g;
static struct hcall_table table;
static struct hcall_buffer buffer;

/* What the handlers saw. */
static u32 runs, budget, fail_at;
static u64 seen[512];

enum {
	ADD = 1,
	SQUARES = 2,
	SUM_VAR = 3,
	NOTE = 4,
	OFF = 5,
	LIST_IN = 6,
	WORDS = 7,
	WORD = 8,
	FAST_ADD = 9,
	FAST_SQUARES = 10,
	NEVER = 11,
	SLOW_LIST = 12,
	FREE = 30,
	EXTENDED = 0x8001
};

/* Two numbers in, their sum out. */
static u16 add_call(struct vp *vp, struct hcall *hc)
{
	const u64 *in = hc->in;

	runs++;
	*(u64 *)hc->out = in[0] + in[1];
	return in[0] == 0xbad ? 5 : HCALL_SUCCESS;
}

/* A factor in the header, then numbers; each squared, times the factor. */
static u16 squares(struct vp *vp, struct hcall *hc)
{
	const u64 *factor = hc->in, *list = hc->list;
	u64 *out = hc->out_list;

	runs++;
	for (hc->done = 0; hc->done < hc->count && hc->done < budget; hc->done++) {
		if (list[hc->done] == fail_at)
			return 5;
		out[hc->done] = list[hc->done] * list[hc->done] * *factor;
	}
	return HCALL_SUCCESS;
}

static u16 sum_var(struct vp *vp, struct hcall *hc)
{
	const u64 *var = hc->var;

	runs++;
	seen[0] = *(const u64 *)hc->in;
	for (u32 i = 0; i < hc->var_bytes / 8; i++)
		seen[0] += var[i];
	return HCALL_SUCCESS;
}

static u16 note(struct vp *vp, struct hcall *hc)
{
	runs++;
	memcpy(seen, hc->in, 16);
	return HCALL_SUCCESS;
}

/* A list of 4-byte elements, no output. */
static u16 list_in(struct vp *vp, struct hcall *hc)
{
	const u32 *list = hc->list;

	runs++;
	for (u32 i = 0; i < hc->count; i++)
		seen[i] = list[i];
	hc->done = hc->count;
	return HCALL_SUCCESS;
}

static u16 words(struct vp *vp, u64 first, u64 second)
{
	runs++;
	seen[0] = first;
	seen[1] = second;
	return first == 0xbad ? 5 : HCALL_SUCCESS;
}

/* Each element takes 10 us. */
static u16 slow_list(struct vp *vp, struct hcall *hc)
{
	runs++;
	do {
		fake.tsc += GUEST_TSC_HZ / 100000;
		hc->done++;
	} while (hc->done < hc->count && !hcall_is_late(hc));
	return HCALL_SUCCESS;
}

static const struct hcall_row rows[] = {
	{ .nr = WORDS,
	  .kind = HCALL_SIMPLE,
	  .name = "words",
	  .words = words,
	  .in_size = 16,
	  .fast = true },
	{ .nr = WORD,
	  .kind = HCALL_SIMPLE,
	  .name = "word",
	  .words = words,
	  .in_size = 8,
	  .fast = true },
	{ .nr = FAST_ADD,
	  .kind = HCALL_SIMPLE,
	  .name = "fast add",
	  .mem = add_call,
	  .in_size = 20,
	  .out_size = 8,
	  .fast = true },
	{ .nr = FAST_SQUARES,
	  .kind = HCALL_REP,
	  .name = "fast squares",
	  .mem = squares,
	  .in_size = 8,
	  .rep_in_size = 8,
	  .rep_out_size = 8,
	  .fast = true },
	{ .nr = NEVER, .kind = HCALL_NOT_OFFERED, .name = "never" },
	{ .nr = SLOW_LIST,
	  .kind = HCALL_REP,
	  .name = "slow",
	  .mem = slow_list,
	  .rep_in_size = 8,
	  .fast = true },
	{ .nr = ADD,
	  .kind = HCALL_SIMPLE,
	  .name = "add",
	  .mem = add_call,
	  .in_size = 16,
	  .out_size = 8,
	  .no_fast_status = 5 },
	{ .nr = SQUARES,
	  .kind = HCALL_REP,
	  .name = "squares",
	  .mem = squares,
	  .in_size = 8,
	  .rep_in_size = 8,
	  .rep_out_size = 8 },
	{ .nr = SUM_VAR,
	  .kind = HCALL_SIMPLE,
	  .name = "sum",
	  .mem = sum_var,
	  .in_size = 8,
	  .variable_header = true,
	  .fast = true },
	{ .nr = NOTE,
	  .kind = HCALL_SIMPLE,
	  .name = "note",
	  .mem = note,
	  .in_size = 16,
	  .fast = true },
	{ .nr = LIST_IN,
	  .kind = HCALL_REP,
	  .name = "list",
	  .mem = list_in,
	  .rep_in_size = 4,
	  .fast = true },
	{ .nr = EXTENDED, .kind = HCALL_SIMPLE, .name = "extended", .mem = note, .in_size = 16 },
};

static const struct hcall_row off_rows[] = {
	{ .nr = OFF, .kind = HCALL_SIMPLE, .name = "off", .mem = note, .in_size = 16 },
};

#define IN  (GUEST_RAM_BASE + 0x1000)
#define OUT (GUEST_RAM_BASE + 0x3000)

static u64 *ram(u64 at)
{
	return (u64 *)(void *)(g.ram + (at - GUEST_RAM_BASE));
}

static void init(void)
{
	fake_guest_init(&g, 1, NULL);
	memset(&table, 0, sizeof(table));
	memset(&buffer, 0x5a, sizeof(buffer));
	EXPECT_EQ(ERR_NONE, hcall_add(&table, rows, ARRAY_SIZE(rows), true));
	EXPECT_EQ(ERR_NONE, hcall_add(&table, off_rows, ARRAY_SIZE(off_rows), false));
	memset(g.ram, 0xa5, sizeof(g.ram));
	runs = 0;
	budget = ~0u;
	fail_at = ~0u;
	memset(seen, 0, sizeof(seen));
}

static struct hcall_request last;
static enum hcall_end last_end;

/* The result; ~0: there is none. */
static u64 run_last(void)
{
	last.buffer = &buffer;
	last.result = ~0ull;
	last_end = hcall_memory(&g.vp[0], &table, &last);
	return last.result;
}

static u64 call_at(u64 control, u64 in, u64 out)
{
	last = (struct hcall_request){ .control = control, .in_gpa = in, .out_gpa = out };
	return run_last();
}

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

static u64 reps(u64 nr, u64 count, u64 start)
{
	return nr | count << 32 | start << 48;
}

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

/* --- the registry --- */

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

/* Calls of words: simple, fast, one or two of them, no output. */
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
	BAD(in_size = 24);
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
	  TEST(test_rep_error), TEST(test_variable_header), TEST(test_fast), TEST(test_xmm_input),
	  TEST(test_xmm_input_not_offered), TEST(test_xmm_output), TEST(test_xmm_output_of_lists),
	  TEST(test_no_fast_form), TEST(test_words), TEST(test_no_call_takes_long),
	  TEST(test_rows_must_be_sound), TEST(test_rows_of_words_must_be_sound),
	  TEST(test_register_calls), TEST(test_areas_that_are_not_there_yet))
