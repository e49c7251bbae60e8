/* SPDX-License-Identifier: BSD-2-Clause */
/* Parser of memory calls. Pure. */
#include "hv/hcall_mem.h"

#include "core/lib/string.h"
#include "core/mem/gpa.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

/* The decoded control word, and sizes that follow from it and the row. */
struct shape {
	bool fast;
	u32 var_bytes, reps, start;
	u32 in_fixed, in_bytes, out_bytes;
};

static struct shape shape_of(const struct hcall_row *row, u64 control)
{
	struct shape s = {
		.fast = (control & HCALL_FAST) != 0,
		.var_bytes = (u32)FIELD_GET(HCALL_VAR_WORDS, control) * 8,
		.reps = (u32)FIELD_GET(HCALL_REP_COUNT, control),
		.start = (u32)FIELD_GET(HCALL_REP_START, control),
	};

	s.in_fixed = row->in_size + s.var_bytes;
	s.in_bytes = s.in_fixed + s.reps * row->rep_in_size;
	s.out_bytes = row->out_size + s.reps * row->rep_out_size;
	return s;
}

static bool is_well_formed(const struct hcall_row *row, const struct shape *s, u64 control)
{
	if ((control & HCALL_RSVDZ) != 0 || (s->var_bytes != 0 && !row->variable_header) ||
	    (s->fast && !row->fast))
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

static u16 read_input(struct vp *vp, struct hcall_request *rq, const struct shape *s)
{
	if (s->fast) {
		if (s->in_bytes > rq->fast_bytes || s->in_bytes > HCALL_AREA_BYTES)
			return HCALL_INVALID_INPUT;
		memcpy(rq->buffer->in, rq->fast, s->in_bytes);
		return HCALL_SUCCESS;
	}
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
static u16 write_output(struct vp *vp, const struct hcall_request *rq, u32 at, u32 bytes)
{
	if (bytes == 0)
		return HCALL_SUCCESS;
	return page_wait_write(vp, gpa(rq->out_gpa + at), rq->buffer->out + at, bytes) == ERR_NONE
		       ? HCALL_SUCCESS
		       : HCALL_INVALID_INPUT;
}

static u64 result(u16 status, u32 reps)
{
	return status | FIELD_PREP(HCALL_REPS_DONE, reps);
}

static u64 run(struct vp *vp, const struct hcall_row *row, struct hcall_request *rq,
	       const struct shape *s)
{
	struct hcall_buffer *b = rq->buffer;
	u32 out_at = row->out_size + s->start * row->rep_out_size;
	struct hcall hc = {
		.in = b->in,
		.var = b->in + row->in_size,
		.var_bytes = s->var_bytes,
		.list = b->in + s->in_fixed + s->start * row->rep_in_size,
		.count = s->reps - s->start,
		.out = b->out,
		.out_list = b->out + out_at,
	};
	u16 status;
	u32 reps;

	memset(b->out, 0, s->out_bytes);
	status = row->mem(vp, &hc);
	reps = s->start + umin32(hc.done, hc.count);
	if (write_output(vp, rq, out_at, (reps - s->start) * row->rep_out_size) != HCALL_SUCCESS)
		return result(HCALL_INVALID_INPUT, s->start);
	if (status == HCALL_SUCCESS && reps < s->reps) {
		rq->control = (rq->control & ~HCALL_REP_START) | FIELD_PREP(HCALL_REP_START, reps);
		rq->again = true;
		return 0;
	}
	if (status == HCALL_SUCCESS)
		status = write_output(vp, rq, 0, row->out_size);
	return result(status, reps);
}

/* Checks in the order of the TLFS: the code, the privilege, the form, the addresses, the call
 * itself. */
u64 hcall_memory(struct vp *vp, const struct hcall_table *t, struct hcall_request *rq)
{
	bool live;
	const struct hcall_row *row = hcall_find(t, FIELD_GET(HCALL_CODE, rq->control), &live);
	struct shape s;
	u16 status;

	rq->again = false;
	if (row == NULL || row->kind == HCALL_REGISTERS) {
		COUNT(vp, VMCALL_UNKNOWN);
		return HCALL_INVALID_CODE;
	}
	if (!live) {
		COUNT(vp, HCALL_DENIED);
		return HCALL_ACCESS_DENIED;
	}
	s = shape_of(row, rq->control);
	if (!is_well_formed(row, &s, rq->control))
		return HCALL_INVALID_INPUT;
	status = read_input(vp, rq, &s);
	return status != HCALL_SUCCESS ? result(status, s.start) : run(vp, row, rq, &s);
}
