/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The calls of an ABI that only the tests of hv/hcall.c and hv/hcall_mem.c have: fixed input and
 * output, lists, a variable header.
 */
#pragma once

#include "tests/host/harness.h"

#include "hv/hcall_mem.h"
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
static inline u16 add_call(struct vp *vp, struct hcall *hc)
{
	const u64 *in = hc->in;

	runs++;
	*(u64 *)hc->out = in[0] + in[1];
	return in[0] == 0xbad ? 5 : HCALL_SUCCESS;
}

/* A factor in the header, then numbers; each squared, times the factor. */
static inline u16 squares(struct vp *vp, struct hcall *hc)
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

static inline u16 sum_var(struct vp *vp, struct hcall *hc)
{
	const u64 *var = hc->var;

	runs++;
	seen[0] = *(const u64 *)hc->in;
	for (u32 i = 0; i < hc->var_bytes / 8; i++)
		seen[0] += var[i];
	return HCALL_SUCCESS;
}

static inline u16 note(struct vp *vp, struct hcall *hc)
{
	runs++;
	memcpy(seen, hc->in, 16);
	return HCALL_SUCCESS;
}

/* A list of 4-byte elements, no output. */
static inline u16 list_in(struct vp *vp, struct hcall *hc)
{
	const u32 *list = hc->list;

	runs++;
	for (u32 i = 0; i < hc->count; i++)
		seen[i] = list[i];
	hc->done = hc->count;
	return HCALL_SUCCESS;
}

static inline u16 words(struct vp *vp, u64 first, u64 second, u64 third)
{
	runs++;
	seen[0] = first;
	seen[1] = second;
	return first == 0xbad ? 5 : HCALL_SUCCESS;
}

/* Each element takes 10 us. */
static inline u16 slow_list(struct vp *vp, struct hcall *hc)
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

static inline u64 *ram(u64 at)
{
	return (u64 *)(void *)(g.ram + (at - GUEST_RAM_BASE));
}

static inline void init(void)
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
static inline u64 run_last(void)
{
	last.buffer = &buffer;
	last.result = ~0ull;
	last_end = hcall_memory(&g.vp[0], &table, &last);
	return last.result;
}

static inline u64 call_at(u64 control, u64 in, u64 out)
{
	last = (struct hcall_request){ .control = control, .in_gpa = in, .out_gpa = out };
	return run_last();
}

static inline u64 reps(u64 nr, u64 count, u64 start)
{
	return nr | count << 32 | start << 48;
}
