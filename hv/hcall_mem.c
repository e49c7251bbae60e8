/* SPDX-License-Identifier: BSD-2-Clause */
/* Parser of memory calls. Pure. */
#include "hv/hcall_mem.h"

#include "core/diag/panic.h"
#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

/* The decoded control word, and sizes that follow from it and the row. */
struct shape {
	bool fast;
	u32 var_bytes, reps, start;
	u32 in_fixed, in_bytes, out_bytes;
	u32 fast_out; /* where the output of a fast call begins: behind the input's last register */
};

static struct shape shape_of(const struct hcall_row *row, u64 control)
{
	struct shape s = {
		.fast = (control & HCALL_FAST) != 0,
		.var_bytes = (u32)FIELD_GET(HCALL_VAR_WORDS, control) * 8,
		.reps = (u32)FIELD_GET(HCALL_REP_COUNT, control),
		.start = (u32)FIELD_GET(HCALL_REP_START, control),
	};

	s.in_fixed = row->in_size + (row->variable_header ? s.var_bytes : 0);
	s.in_bytes = s.in_fixed + s.reps * row->rep_in_size;
	s.out_bytes = row->out_size + s.reps * row->rep_out_size;
	s.fast_out = ALIGN_UP(s.in_bytes, 16u);
	return s;
}

static bool is_well_formed(const struct hcall_row *row, const struct shape *s)
{
	if (s->var_bytes != 0 && !row->variable_header)
		return false;
	if (row->kind == HCALL_SIMPLE)
		return s->reps == 0 && s->start == 0;
	return s->start < s->reps;
}

static bool is_placed(u64 at, u32 bytes)
{
	return bytes == 0 ||
	       (IS_ALIGNED(at, 8ull) && at % HCALL_AREA_BYTES + bytes <= HCALL_AREA_BYTES);
}

/* Waits for memory that is not there yet: the TLFS has no status for that. */
static bool is_output_area(struct vp *vp, u64 at, u32 bytes)
{
	struct gpa_pin pin;
	err_t err;

	do
		err = gpa_pin(vp->partition, gpa(at), bytes, GPA_NAMED, &pin);
	while (page_retry(vp, err));
	if (err != ERR_NONE)
		return false;
	gpa_unpin(vp->partition, &pin);
	return true;
}

/* --- fast calls: bytes from HCALL_FAST_GPR_BYTES on are in XMM registers --- */

static u32 xmm_of(u32 bytes)
{
	return bytes > HCALL_FAST_GPR_BYTES ? (bytes - HCALL_FAST_GPR_BYTES + 15) / 16 : 0;
}

/* Fill the request with the registers that hold its first @bytes. */
static void load_xmm(struct hcall_request *rq, u32 bytes)
{
	u64 val[4];

	for (u32 i = 0; i < xmm_of(bytes); i++) {
		err_t err = hw_vector_read(HW_XMM, i, val);

		ASSERT(err == ERR_NONE); /* only MMX registers can be busy */
		memcpy(&rq->fast[2 + 2 * i], val, 16);
	}
}

/* Write those back that hold bytes from @from to @to. */
static void store_xmm(const struct hcall_request *rq, u32 from, u32 to)
{
	u64 val[4] = { 0 };

	for (u32 i = umax32(from, HCALL_FAST_GPR_BYTES) / 16 - 1; i < xmm_of(to); i++) {
		err_t err;

		memcpy(val, &rq->fast[2 + 2 * i], 16);
		err = hw_vector_write(HW_XMM, i, val);
		ASSERT(err == ERR_NONE);
	}
}

static u16 read_fast(struct hcall_request *rq, const struct shape *s)
{
	if (s->fast_out + s->out_bytes > HCALL_FAST_BYTES)
		return HCALL_INVALID_INPUT;
	load_xmm(rq, s->out_bytes != 0 ? s->fast_out + s->out_bytes : s->in_bytes);
	return HCALL_SUCCESS;
}

/* --- */

static u16 read_memory(struct vp *vp, struct hcall_request *rq, const struct shape *s)
{
	if (!is_placed(rq->in_gpa, s->in_bytes) || !is_placed(rq->out_gpa, s->out_bytes))
		return HCALL_INVALID_ALIGNMENT;
	/* Check the output area first: the handler cannot be undone if its output has no place
	 * to go. */
	if (s->out_bytes != 0 && !is_output_area(vp, rq->out_gpa, s->out_bytes))
		return HCALL_INVALID_INPUT;
	if (s->in_bytes != 0 &&
	    page_wait_read(vp, gpa(rq->in_gpa), rq->buffer->in, s->in_bytes) != ERR_NONE)
		return HCALL_INVALID_INPUT;
	return HCALL_SUCCESS;
}

/* Write @bytes of the private output, from offset @at. */
static u16 write_output(struct vp *vp, struct hcall_request *rq, const struct shape *s, u32 at,
			u32 bytes)
{
	const u8 *from = rq->buffer->out + at;

	if (bytes == 0)
		return HCALL_SUCCESS;
	if (s->fast) {
		memcpy((u8 *)rq->fast + s->fast_out + at, from, bytes);
		store_xmm(rq, s->fast_out + at, s->fast_out + at + bytes);
		return HCALL_SUCCESS;
	}
	return page_wait_write(vp, gpa(rq->out_gpa + at), from, bytes) == ERR_NONE
		       ? HCALL_SUCCESS
		       : HCALL_INVALID_INPUT;
}

static enum hcall_end done(struct hcall_request *rq, u16 status, u32 reps)
{
	rq->result = status | FIELD_PREP(HCALL_REPS_DONE, reps);
	return HCALL_DONE;
}

static enum hcall_end run_words(struct vp *vp, const struct hcall_row *row,
				struct hcall_request *rq, const u8 *in)
{
	u64 word[HCALL_WORDS] = { 0 };

	memcpy(word, in, row->in_size);
	return done(rq, row->words(vp, word[0], word[1], word[2]), 0);
}

static enum hcall_end run(struct vp *vp, const struct hcall_row *row, struct hcall_request *rq,
			  const struct shape *s)
{
	u8 *in = s->fast ? (u8 *)rq->fast : rq->buffer->in;
	u32 out_at = row->out_size + s->start * row->rep_out_size;
	struct hcall hc = {
		.in = in,
		.var = in + row->in_size,
		.var_bytes = s->var_bytes,
		.list = in + s->in_fixed + s->start * row->rep_in_size,
		.count = s->reps - s->start,
		.out = rq->buffer->out,
		.out_list = rq->buffer->out + out_at,
	};
	u16 status;
	u32 reps;

	if (row->words != NULL)
		return run_words(vp, row, rq, in);
	if (row->kind == HCALL_REP)
		hc.deadline_tsc = hw_tsc() + vp->partition->clock.tsc_hz / HCALL_SLICE_PER_S;
	if (s->out_bytes != 0)
		memset(rq->buffer->out, 0, s->out_bytes);
	status = row->mem(vp, &hc);
	if (hc.again)
		return HCALL_AGAIN;
	reps = s->start + umin32(hc.done, hc.count);
	if (write_output(vp, rq, s, out_at, (reps - s->start) * row->rep_out_size) != HCALL_SUCCESS)
		return done(rq, HCALL_INVALID_INPUT, s->start);
	if (status == HCALL_SUCCESS && reps < s->reps) {
		rq->control = (rq->control & ~HCALL_REP_START) | FIELD_PREP(HCALL_REP_START, reps);
		return HCALL_AGAIN;
	}
	if (hc.out_bytes == 0 && status == HCALL_SUCCESS)
		hc.out_bytes = row->out_size;
	if (write_output(vp, rq, s, 0, hc.out_bytes) != HCALL_SUCCESS)
		status = HCALL_INVALID_INPUT;
	return done(rq, status, reps);
}

static bool has_fast_form(const struct hcall_row *row, const struct hcall_request *rq)
{
	return row->fast && (row->out_size + row->rep_out_size == 0 || rq->xmm_output);
}

static enum hcall_end refuse(struct vp *vp, const struct hcall_row *row, struct hcall_request *rq)
{
	if (row == NULL || row->kind == HCALL_REGISTERS || row->unknown_if_off) {
		COUNT(vp, VMCALL_UNKNOWN);
		return done(rq, HCALL_INVALID_CODE, 0);
	}
	COUNT(vp, HCALL_DENIED);
	return done(rq, HCALL_ACCESS_DENIED, 0);
}

/*
 * Checks in the order of the TLFS: the code, the privilege, the form, the addresses, the call
 * itself. SPEC-GAP: a fast call that needs XMM registers which are not offered is #UD, as on KVM,
 * before its sizes count.
 */
enum hcall_end hcall_memory(struct vp *vp, const struct hcall_table *t, struct hcall_request *rq)
{
	bool live;
	const struct hcall_row *row = hcall_find(t, FIELD_GET(HCALL_CODE, rq->control), &live);
	struct shape s;
	u16 status;

	if (!live || (row->mem == NULL && row->words == NULL))
		return refuse(vp, row, rq);
	s = shape_of(row, rq->control);
	if ((rq->control & HCALL_RSVDZ) != 0)
		return done(rq, HCALL_INVALID_INPUT, 0);
	if (s.fast && !has_fast_form(row, rq))
		return done(rq,
			    row->no_fast_status != 0 ? row->no_fast_status : HCALL_INVALID_INPUT,
			    0);
	if (s.fast && s.in_bytes > HCALL_FAST_GPR_BYTES && !rq->xmm_input)
		return HCALL_UNDEFINED;
	if (!is_well_formed(row, &s))
		return done(rq, HCALL_INVALID_INPUT, 0);
	status = s.fast ? read_fast(rq, &s) : read_memory(vp, rq, &s);
	return status != HCALL_SUCCESS ? done(rq, status, s.start) : run(vp, row, rq, &s);
}
