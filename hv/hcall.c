/* SPDX-License-Identifier: BSD-2-Clause */
/* The registry of hypercalls, and register calls with output. Pure. */
#include "hv/hcall.h"

#include "core/mem/gpa.h"
#include "core/partition.h"
#include "core/vp/page_wait.h"
#include "core/vp/vp.h"

/* The slot of a number; HCALL_SLOTS: none. */
static u32 slot_of(u64 nr)
{
	if (nr < HCALL_LOW)
		return (u32)nr;
	if (nr - HCALL_EXTENDED < HCALL_EXTENDEDS)
		return HCALL_LOW + (u32)(nr - HCALL_EXTENDED);
	return HCALL_SLOTS;
}

static bool is_sound(const struct hcall_row *row)
{
	u32 in = row->in_size + row->rep_in_size, out = row->out_size + row->rep_out_size;

	if (row->kind == HCALL_REGISTERS)
		return (row->reg != NULL) != (row->reg_out != NULL) && in == 0 &&
		       row->out_size <= HCALL_REG_OUT_MAX && row->out_arg < 4 &&
		       (row->out_size != 0) == (row->reg_out != NULL) && row->nr < HCALL_LOW;
	if (row->kind == HCALL_SIMPLE && row->rep_in_size + row->rep_out_size != 0)
		return false;
	return row->mem != NULL && in <= HCALL_AREA_BYTES && out <= HCALL_AREA_BYTES &&
	       !(row->fast && out != 0);
}

err_t hcall_add(struct hcall_table *t, const struct hcall_row *rows, u32 n, bool live)
{
	for (u32 i = 0; i < n; i++) {
		u32 slot = slot_of(rows[i].nr);

		if (slot == HCALL_SLOTS)
			return ERR_RANGE;
		if (!is_sound(&rows[i]))
			return ERR_INVAL;
		if (t->row[slot] != NULL)
			return ERR_BUSY;
		t->row[slot] = &rows[i];
		t->live[slot] = live;
		if (slot < HCALL_LOW)
			t->reg[slot] = live ? rows[i].reg : NULL;
	}
	return ERR_NONE;
}

const struct hcall_row *hcall_find(const struct hcall_table *t, u64 nr, bool *live)
{
	u32 slot = slot_of(nr);

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
