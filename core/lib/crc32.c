/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * CRC-32 for images of many megabytes: under one instruction per byte without SIMD registers. A
 * multiple of the polynomial with four terms only,
 *
 * 	x^(64 * 3006) + x^(64 * 2866) + x^(64 * 2215) + 1,
 *
 * lets us move a 64-bit word to three places further on (XOR) without changing the remainder. The
 * last 3006 words go through the usual table.
 *
 * Boot time: the window is static, one computation at a time.
 */
#include "core/lib/crc32.h"

#include "core/lib/string.h"

#define CRC32_POLY 0xedb88320u

/* How far on a word is XORed in, in words: 3006, 3006 - 2866, 3006 - 2215. */
#define WINDOW 3006u
#define NEAR   140u
#define MIDDLE 791u

typedef u64 __attribute__((may_alias, aligned(1))) any_u64;

/* Entry i: the folded word that lies WINDOW words before the one to be folded next at i. */
static u64 window[WINDOW];
static u32 table[256];

static void table_build(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 c = i;

		for (u32 bit = 0; bit < 8; bit++)
			c = (c >> 1) ^ ((c & 1) != 0 ? CRC32_POLY : 0);
		table[i] = c;
	}
}

static u32 update_bytes(u32 crc, const u8 *data, u64 len)
{
	for (; len > 0; len--, data++)
		crc = (crc >> 8) ^ table[(crc ^ *data) & 0xff];
	return crc;
}

/* @count words from window entry @at on; @near and @middle: entries that lie those lags before. */
static void fold(const any_u64 *data, u32 at, u32 count, u32 near, u32 middle)
{
	const u64 *n = window + near;
	const u64 *m = window + middle;
	u64 *w = window + at;
	size_t i = 0;

	/* Unrolled: the loop's own instructions count. All lags are longer than 4. */
	for (; i + 4 <= count; i += 4) {
		w[i] ^= data[i] ^ n[i] ^ m[i];
		w[i + 1] ^= data[i + 1] ^ n[i + 1] ^ m[i + 1];
		w[i + 2] ^= data[i + 2] ^ n[i + 2] ^ m[i + 2];
		w[i + 3] ^= data[i + 3] ^ n[i + 3] ^ m[i + 3];
	}
	for (; i < count; i++)
		w[i] ^= data[i] ^ n[i] ^ m[i];
}

static void fold_turn(const any_u64 *data)
{
	fold(data, 0, NEAR, WINDOW - NEAR, WINDOW - MIDDLE);
	fold(data + NEAR, NEAR, MIDDLE - NEAR, 0, WINDOW - MIDDLE + NEAR);
	fold(data + MIDDLE, MIDDLE, WINDOW - MIDDLE, MIDDLE - NEAR, 0);
}

/* The last WINDOW words are not folded on; they only collect from earlier ones. */
static void settle(const any_u64 *data)
{
	for (u32 i = 0; i < WINDOW; i++) {
		window[i] ^= data[i];
		if (i < NEAR)
			window[i] ^= window[i + WINDOW - NEAR];
		if (i < MIDDLE)
			window[i] ^= window[i + WINDOW - MIDDLE];
	}
}

u32 crc32_update(u32 crc, const u8 *data, u64 len)
{
	u64 turns = len / sizeof(window);

	if (table[1] == 0)
		table_build();
	if (turns >= 2) {
		memset(window, 0, sizeof(window));
		window[0] = crc;
		for (; turns > 1; turns--) {
			fold_turn((const any_u64 *)data);
			data += sizeof(window);
			len -= sizeof(window);
		}
		settle((const any_u64 *)data);
		data += sizeof(window);
		len -= sizeof(window);
		crc = update_bytes(0, (const u8 *)window, sizeof(window));
	}
	return update_bytes(crc, data, len);
}
