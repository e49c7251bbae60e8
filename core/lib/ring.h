/* SPDX-License-Identifier: BSD-2-Clause */
/* A ring of bytes. Callers serialise. Context: any; pure. */
#pragma once

#include "core/lib/bits.h"

#define RING_BYTES 8192u

/* All zero: empty. */
struct ring {
	u32 taken, put; /* bytes so far; they wrap */
	u8 byte[RING_BYTES];
};
static_assert((RING_BYTES & (RING_BYTES - 1)) == 0, "an index is a mask");

static inline u32 ring_count(const struct ring *r)
{
	return r->put - r->taken;
}

static inline u32 ring_room(const struct ring *r)
{
	return RING_BYTES - ring_count(r);
}

static inline void ring_clear(struct ring *r)
{
	r->taken = r->put;
}

/* ring_put() - @count bytes; there is room for them. */
static inline void ring_put(struct ring *r, const u8 *bytes, u32 count)
{
	for (u32 i = 0; i < count; i++)
		r->byte[(r->put + i) % RING_BYTES] = bytes[i];
	r->put += count;
}

/* ring_peek() - copy the first @count bytes or what there is of them; how many. They stay. */
static inline u32 ring_peek(const struct ring *r, u8 *bytes, u32 count)
{
	count = count < ring_count(r) ? count : ring_count(r);
	for (u32 i = 0; i < count; i++)
		bytes[i] = r->byte[(r->taken + i) % RING_BYTES];
	return count;
}

/* ring_drop() - remove the first @count bytes, which ring_peek() has shown. */
static inline void ring_drop(struct ring *r, u32 count)
{
	r->taken += count;
}
