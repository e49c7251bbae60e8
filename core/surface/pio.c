/* SPDX-License-Identifier: BSD-2-Clause */
/* Table of owned I/O port ranges and the I/O bitmaps made from it. Pure. */
#include "core/surface/pio.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"

err_t pio_add(struct pio_table *t, const struct pio_row *row)
{
	if (row->fn == NULL || row->first > row->last)
		return ERR_INVAL;
	for (u32 i = 0; i < t->count; i++) {
		if (row->first <= t->row[i].last && t->row[i].first <= row->last)
			return ERR_BUSY;
	}
	if (t->count == PIO_ROWS_MAX)
		return ERR_NOMEM;
	t->row[t->count++] = *row;
	return ERR_NONE;
}

const struct pio_row *pio_lookup(const struct pio_table *t, u16 port)
{
	for (u32 i = 0; i < t->count; i++) {
		if (port >= t->row[i].first && port <= t->row[i].last)
			return &t->row[i];
	}
	return NULL;
}

void pio_bitmap_build(const struct pio_table *t, u8 bitmap[8192])
{
	(void)memset(bitmap, 0, 8192);
	for (u32 i = 0; i < t->count; i++) {
		for (u32 port = t->row[i].first; port <= t->row[i].last; port++)
			bitmap[port / 8] = (u8)(bitmap[port / 8] | BIT32(port % 8));
	}
}
