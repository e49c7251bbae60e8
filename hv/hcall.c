/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of hypercalls, and register calls with output. Pure. */
#include "hv/hcall.h"

#include "core/mem/gpa.h"
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

static bool is_sound_memory_call(const struct hcall_row *row, u32 in, u32 out)
{
	if ((row->mem != NULL) == (row->words != NULL) || in > HCALL_AREA_BYTES ||
	    out > HCALL_AREA_BYTES || (row->fast && row->no_fast_status != 0))
		return false;
	if (row->words != NULL && (!row->fast || out != 0 || row->variable_header || in == 0 ||
				   in % sizeof(u64) != 0 || in > HCALL_WORDS * sizeof(u64)))
		return false;
	return row->kind == HCALL_REP
		       ? row->words == NULL
		       : row->kind == HCALL_SIMPLE && row->rep_in_size + row->rep_out_size == 0;
}

static bool is_sound(const struct hcall_row *row)
{
	u32 in = row->in_size + row->rep_in_size, out = row->out_size + row->rep_out_size;

	switch (row->kind) {
	case HCALL_REGISTERS:
		return (row->reg != NULL) != (row->reg_out != NULL) && in == 0 &&
		       row->out_size <= HCALL_REG_OUT_MAX && row->out_arg < 4 &&
		       (row->out_size != 0) == (row->reg_out != NULL) && row->nr < HCALL_LOW;
	case HCALL_NOT_OFFERED:
		return row->mem == NULL && row->words == NULL && in + out == 0;
	case HCALL_SIMPLE:
	case HCALL_REP:
		return is_sound_memory_call(row, in, out);
	}
	return false;
}

err_t hcall_add(struct hcall_table *t, const struct hcall_row *rows, u32 n, bool live)
{
	for (u32 i = 0; i < n; i++) {
		u32 slot = hcall_slot(rows[i].nr);

		if (slot == HCALL_SLOTS)
			return ERR_RANGE;
		if (!is_sound(&rows[i]))
			return ERR_INVAL;
		if (t->row[slot] != NULL)
			return ERR_BUSY;
		t->row[slot] = &rows[i];
		t->live[slot] = live;
		if (live && slot < HCALL_LOW) {
			t->reg[slot] = rows[i].reg;
			if (rows[i].in_size <= 2 * sizeof(u64))
				t->words[slot] = rows[i].words;
		}
	}
	return ERR_NONE;
}

const struct hcall_row *hcall_find(const struct hcall_table *t, u64 nr, bool *live)
{
	u32 slot = hcall_slot(nr);

	*live = slot < HCALL_SLOTS && t->live[slot];
	return slot < HCALL_SLOTS ? t->row[slot] : NULL;
}

err_t hcall_reg_out(struct vp *vp, const struct hcall_row *row, const u64 args[4], s64 *result)
{
	u8 out[HCALL_REG_OUT_MAX] ALIGNED(8) = { 0 };
	err_t err;

	*result = row->reg_out(vp, args, out);
	if (*result != 0)
		return ERR_NONE;
	do
		err = gpa_write(vp->partition, gpa(args[row->out_arg]), out, row->out_size);
	while (page_retry(vp, err));
	return err;
}
