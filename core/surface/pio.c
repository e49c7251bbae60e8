/* SPDX-License-Identifier: BSD-2-Clause */
/* Table of owned I/O port ranges, the accesses it steers, and the I/O bitmaps made from it. Pure.
 */
#include "core/surface/pio.h"

#include "core/hw.h"
#include "core/lib/bits.h"
#include "core/lib/string.h"
#include "core/partition.h"
#include "core/vp/vp.h"

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

err_t pio_add_watched(struct pio_table *t, const struct pio_row *row)
{
	TRY(pio_add(t, row));
	t->watched |= BIT32(t->count - 1);
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

static u32 bytes_mask(u32 size)
{
	return ~0u >> (32 - 8 * size);
}

/* Largest piece at @port, up to @left bytes, that is inside one row or outside all. */
static u32 piece_size(const struct pio_table *t, u16 port, u32 left)
{
	const struct pio_row *row = pio_lookup(t, port);
	u32 size = left >= 4 ? 4 : left >= 2 ? 2 : 1;

	while (size > 1) {
		bool uniform = (u32)port + size <= 0x10000;

		for (u32 i = 1; i < size && uniform; i++)
			uniform = pio_lookup(t, (u16)(port + i)) == row;
		if (uniform)
			break;
		size /= 2;
	}
	return size;
}

void pio_access(struct vp *vp, u16 port, u32 size, bool write, u32 *val)
{
	const struct pio_table *t = &vp->partition->pio;
	u32 result = 0, done = 0;

	while (done < size) {
		u16 at = (u16)(port + done);
		u32 n = piece_size(t, at, size - done);
		const struct pio_row *row = pio_lookup(t, at);
		u32 piece = *val >> (8 * done) & bytes_mask(n);

		if (row != NULL)
			row->fn(vp, at, n, write, &piece);
		else if (write)
			hw_io_out(at, n, piece);
		else
			piece = hw_io_in(at, n);
		result |= (piece & bytes_mask(n)) << (8 * done);
		done += n;
	}
	if (!write)
		*val = result;
}

static void set_port(u8 *bitmap, u32 port)
{
	bitmap[port / 8] = (u8)(bitmap[port / 8] | BIT32(port % 8));
}

void pio_bitmap_build(const struct pio_table *t, u8 bitmap[PIO_BITMAP_BYTES])
{
	u8 *watching = bitmap + 2 * 4096;

	(void)memset(bitmap, 0, PIO_BITMAP_BYTES);
	for (u32 i = 0; i < t->count; i++) {
		const struct pio_row *row = &t->row[i];

		for (u32 port = row->first; port <= row->last; port++) {
			if (!(t->watched & BIT32(i)))
				set_port(bitmap, port);
			if (port < 0x8000)
				set_port(watching, port);
		}
	}
}
