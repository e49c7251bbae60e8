/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzer: the parser of memory calls. The input is a control word, two addresses and what a fast
 * call has in registers; the rest is the guest's memory. Handlers read all of their input and write
 * all of their output: what lies outside the private copies is a crash, and the guest's memory
 * changes in the output area only.
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
	{ .nr = 0x8001, .kind = HCALL_SIMPLE, .mem = simple, .out_size = 4096 },
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

static void check(const struct hcall_request *rq, u64 control, u64 result)
{
	u64 reps = FIELD_GET(HCALL_REP_COUNT, control);
	u64 out = rq->out_gpa - GUEST_RAM_BASE, bytes;

	must((result & ~(HCALL_STATUS | HCALL_REPS_DONE)) == 0);
	must(FIELD_GET(HCALL_REPS_DONE, result) <= reps ||
	     (result & HCALL_STATUS) != HCALL_SUCCESS);
	if (rq->again)
		must(((rq->control ^ control) & ~HCALL_REP_START) == 0 &&
		     FIELD_GET(HCALL_REP_START, rq->control) < reps);
	bytes = row != NULL ? row->out_size + reps * row->rep_out_size : 0;
	for (u64 i = 0; i < GUEST_RAM_BYTES; i++)
		must(g.ram[i] == before[i] || i - out < bytes);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static struct hcall_buffer buffer;
	u64 word[17] = { 0 }, control, result;
	struct hcall_request rq = { .buffer = &buffer, .fast = &word[3] };
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
	rq.in_gpa = word[1] % 8 != 7 ? GUEST_RAM_BASE + word[1] % GUEST_RAM_BYTES : word[1];
	rq.out_gpa = word[2] % 8 != 7 ? GUEST_RAM_BASE + word[2] % GUEST_RAM_BYTES : word[2];
	rq.fast_bytes = word[16] & 1 ? 112 : 16;
	row = hcall_find(&table, FIELD_GET(HCALL_CODE, control), &live);
	result = hcall_memory(&g.vp[0], &table, &rq);
	check(&rq, control, result);
	return 0;
}
