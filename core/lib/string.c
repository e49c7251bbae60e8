/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Freestanding memory and string functions. Any context, pure. The compiler may emit calls to the
 * first four; flags in the Makefile keep it from turning these very loops into such calls.
 *
 * Large copies (kernel, initrd) move 64 bytes per iteration: an emulated or nested machine pays per
 * instruction, and for REP MOVS per element.
 */
#include "core/lib/string.h"

/* Eight bytes at any address, of any effective type. */
typedef u64 __attribute__((may_alias, aligned(1))) any_u64;

/* All loads first: correct for any overlap. */
static inline void copy_64(u8 *d, const u8 *s)
{
	const any_u64 *from = (const any_u64 *)s;
	any_u64 *to = (any_u64 *)d;
	u64 w0 = from[0], w1 = from[1], w2 = from[2], w3 = from[3];
	u64 w4 = from[4], w5 = from[5], w6 = from[6], w7 = from[7];

	to[0] = w0;
	to[1] = w1;
	to[2] = w2;
	to[3] = w3;
	to[4] = w4;
	to[5] = w5;
	to[6] = w6;
	to[7] = w7;
}

static void copy_up(u8 *d, const u8 *s, size_t n)
{
	for (; n >= 64; n -= 64, d += 64, s += 64)
		copy_64(d, s);
	for (; n >= 8; n -= 8, d += 8, s += 8)
		*(any_u64 *)d = *(const any_u64 *)s;
	while (n-- > 0)
		*d++ = *s++;
}

static void copy_down(u8 *d, const u8 *s, size_t n)
{
	while (n >= 64) {
		n -= 64;
		copy_64(d + n, s + n);
	}
	while (n > 0) {
		n--;
		d[n] = s[n];
	}
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_up(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_up(dst, src, n);
	else
		copy_down(dst, src, n);
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	u8 *d = dst;
	u64 w = (u8)c * 0x0101010101010101ull;

	for (; n >= 64; n -= 64, d += 64) {
		any_u64 *to = (any_u64 *)d;

		to[0] = w;
		to[1] = w;
		to[2] = w;
		to[3] = w;
		to[4] = w;
		to[5] = w;
		to[6] = w;
		to[7] = w;
	}
	for (; n >= 8; n -= 8, d += 8)
		*(any_u64 *)d = w;
	while (n-- > 0)
		*d++ = (u8)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a;
	const u8 *y = b;

	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || *a == '\0')
			return (u8)*a - (u8)*b;
	}
	return 0;
}
