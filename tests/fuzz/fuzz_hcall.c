/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: the parser of memory calls. The input is a control word, two addresses, which are also
 * the first registers of a fast call, and its other registers; the rest is the guest's memory.
 * Handlers read all of their input and write all of their output: what lies outside the private
 * copies is a crash. The guest's memory changes in the output area only, its registers behind the
 * input only.
 */
#include <stdlib.h>
#include <string.h>

#include "hv/hcall_mem.h"
#include "tests/host/fakes/rig.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static struct fake_guest g;
static struct hcall_table table;
static u8 before[GUEST_RAM_BYTES];

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* One row per shape. */
static u16 simple(struct vp *vp, struct hcall *hc);
static u16 rep(struct vp *vp, struct hcall *hc);
static u16 words(struct vp *vp, u64 first, u64 second, u64 third);

static const struct hcall_row rows[] = {
	{ .nr = 0, .kind = HCALL_SIMPLE, .mem = simple, .in_size = 24, .out_size = 40 },
	{ .nr = 1,
	  .kind = HCALL_SIMPLE,
	  .mem = simple,
	  .in_size = 16,
	  .variable_header = true,
	  .fast = true },
	{ .nr = 2,
	  .kind = HCALL_REP,
	  .mem = rep,
	  .in_size = 8,
	  .rep_in_size = 4,
	  .rep_out_size = 16,
	  .variable_header = true },
	{ .nr = 3, .kind = HCALL_REP, .mem = rep, .rep_in_size = 12, .fast = true },
	{ .nr = 4,
	  .kind = HCALL_SIMPLE,
	  .mem = simple,
	  .in_size = 20,
	  .out_size = 40,
	  .variable_header = true,
	  .fast = true },
	{ .nr = 5,
	  .kind = HCALL_REP,
	  .mem = rep,
	  .in_size = 16,
	  .rep_in_size = 4,
	  .rep_out_size = 16,
	  .fast = true },
	{ .nr = 6, .kind = HCALL_SIMPLE, .words = words, .in_size = 8, .fast = true },
	{ .nr = 7, .kind = HCALL_NOT_OFFERED },
	{ .nr = 0x8001,
	  .kind = HCALL_SIMPLE,
	  .mem = simple,
	  .out_size = 4096,
	  .no_fast_status = 5 },
};

static const struct hcall_row *row;

static u32 sum(const void *at, u32 bytes)
{
	const u8 *p = at;
	u32 n = 0;

	for (u32 i = 0; i < bytes; i++)
		n += p[i];
	return n;
}

static u16 simple(struct vp *vp, struct hcall *hc)
{
	memset(hc->out, 0xee, row->out_size);
	return (u16)((sum(hc->in, row->in_size) + sum(hc->var, hc->var_bytes)) & 1 ? 5 : 0);
}

static u16 rep(struct vp *vp, struct hcall *hc)
{
	u32 n = sum(hc->in, row->in_size) + sum(hc->list, hc->count * row->rep_in_size);

	must(hc->count != 0);
	memset(hc->out_list, 0xee, hc->count * row->rep_out_size);
	hc->done = n % (hc->count + 2); /* one more than there are, too */
	return n & 0x100 ? 5 : 0;
}

static u16 words(struct vp *vp, u64 first, u64 second, u64 third)
{
	return (first ^ second) & 1 ? 5 : 0;
}

static void check_end(const struct hcall_request *rq, u64 control, enum hcall_end end)
{
	u64 reps = FIELD_GET(HCALL_REP_COUNT, control);

	switch (end) {
	case HCALL_DONE:
		must((rq->result & ~(HCALL_STATUS | HCALL_REPS_DONE)) == 0);
		must(FIELD_GET(HCALL_REPS_DONE, rq->result) <= reps ||
		     (rq->result & HCALL_STATUS) != HCALL_SUCCESS);
		break;
	case HCALL_AGAIN:
		must(((rq->control ^ control) & ~HCALL_REP_START) == 0 &&
		     FIELD_GET(HCALL_REP_START, rq->control) < reps);
		break;
	case HCALL_UNDEFINED:
		must((control & HCALL_FAST) && !rq->xmm_input);
		break;
	}
}

static void check_memory(u64 control, u64 out_gpa)
{
	u64 reps = FIELD_GET(HCALL_REP_COUNT, control);
	u64 bytes = row != NULL ? row->out_size + reps * row->rep_out_size : 0;
	u64 out = out_gpa - GUEST_RAM_BASE;

	if (control & HCALL_FAST)
		bytes = 0;
	for (u64 i = 0; i < GUEST_RAM_BYTES; i++)
		must(g.ram[i] == before[i] || i - out < bytes);
}

/* @word: the registers before. */
static void check_registers(const struct hcall_request *rq, u64 control, const u64 *word)
{
	u64 reps = FIELD_GET(HCALL_REP_COUNT, control);
	u64 in = row == NULL ? 0
			     : row->in_size + 8 * FIELD_GET(HCALL_VAR_WORDS, control) +
				       reps * row->rep_in_size;
	bool may_change = (control & HCALL_FAST) && rq->xmm_output;
	u8 now[HCALL_FAST_BYTES];

	memcpy(now, rq->fast, 16);
	for (u32 i = 0; i < HCALL_FAST_XMMS; i++)
		memcpy(now + 16 + 16 * i, fake.vector[i], 16);
	for (u64 i = 0; i < HCALL_FAST_BYTES; i++)
		must(now[i] == ((const u8 *)word)[i] || (may_change && i >= ALIGN_UP(in, 16ull)));
}

static u64 place(u64 word)
{
	return word % 8 != 7 ? GUEST_RAM_BASE + word % GUEST_RAM_BYTES : word;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct hcall_buffer buffer;
	u64 word[16] = { 0 }, control;
	struct hcall_request rq = { .buffer = &buffer };
	enum hcall_end end;
	bool live;

	memcpy(word, data, size < sizeof(word) ? size : sizeof(word));
	if (g.p.vp_count == 0) { /* once: a call changes memory and counters only */
		fake_guest_init(&g, 1, NULL);
		must(hcall_add(&table, rows, sizeof(rows) / sizeof(rows[0]), true) == ERR_NONE);
	}
	memset(g.ram, 0, sizeof(g.ram));
	if (size > sizeof(word))
		memcpy(g.ram, data + sizeof(word),
		       size - sizeof(word) < sizeof(g.ram) ? size - sizeof(word) : sizeof(g.ram));
	memcpy(before, g.ram, sizeof(before));
	control = rq.control = word[0];
	rq.xmm_input = word[15] & 1;
	rq.xmm_output = word[15] & 2;
	for (u32 i = 1; i < 3 && !(control & HCALL_FAST); i++)
		word[i] = place(word[i]);
	memcpy(rq.fast, &word[1], 16);
	for (u32 i = 0; i < HCALL_FAST_XMMS; i++)
		memcpy(fake.vector[i], &word[3 + 2 * i], 16);
	row = hcall_find(&table, FIELD_GET(HCALL_CODE, control), &live);
	end = hcall_memory(&g.vp[0], &table, &rq);
	check_end(&rq, control, end);
	check_memory(control, word[2]);
	check_registers(&rq, control, &word[1]);
	return 0;
}
