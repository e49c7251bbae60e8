/* SPDX-License-Identifier: BSD-2-Clause */
/* Unaligned little-endian fields in untrusted bytes, and range checks that hostile values cannot
 * wrap. */
#pragma once

#include "core/lib/string.h"
#include "core/lib/types.h"

static inline u16 get_u16(const u8 *p)
{
	u16 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline u32 get_u32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline u64 get_u64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline void put_u16(u8 *p, u16 v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void put_u32(u8 *p, u32 v)
{
	memcpy(p, &v, sizeof(v));
}

static inline void put_u64(u8 *p, u64 v)
{
	memcpy(p, &v, sizeof(v));
}

/* [off, off + len) lies within @size bytes; neither sum nor difference can wrap. */
static inline bool range_fits(u64 off, u64 len, u64 size)
{
	return off <= size && len <= size - off;
}

/* Two ranges that do not wrap share a byte. */
static inline bool ranges_overlap(u64 a, u64 a_len, u64 b, u64 b_len)
{
	return a_len != 0 && b_len != 0 && a < b + b_len && b < a + a_len;
}
