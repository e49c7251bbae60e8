// SPDX-License-Identifier: BSD-2-Clause
// Strings and formatting of the test guests; independent of core/lib on purpose.

#include "tests/guest/lib/str.h"

void *memcpy(void *dst, const void *src, size_t n)
{
	void *ret = dst;

	asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory");
	return ret;
}

void *memset(void *dst, int c, size_t n)
{
	void *ret = dst;

	asm volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(c) : "memory");
	return ret;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const u8 *x = a, *y = b;

	for (size_t i = 0; i < n; i++) {
		if (x[i] != y[i])
			return x[i] < y[i] ? -1 : 1;
	}
	return 0;
}

void *memmove(void *dst, const void *src, size_t n)
{
	u8 *d = dst;
	const u8 *s = src;

	if (d <= s)
		return memcpy(dst, src, n);
	while (n-- != 0)
		d[n] = s[n];
	return dst;
}

bool str_equal(const char *a, const char *b)
{
	while (*a != '\0' && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

bool str_prefix(const char *text, const char *prefix, u32 len)
{
	for (u32 i = 0; i < len; i++) {
		if (text[i] == '\0' || text[i] != prefix[i])
			return false;
	}
	return true;
}

struct out {
	char *buf;
	u32 size, len;
};

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len++] = c;
}

static void out_number(struct out *o, u64 val, u32 base, u32 width, char pad)
{
	char digits[24];
	u32 n = 0;

	do {
		digits[n++] = "0123456789abcdef"[val % base];
		val /= base;
	} while (val != 0);
	for (u32 i = n; i < width; i++)
		out_char(o, pad);
	while (n != 0)
		out_char(o, digits[--n]);
}

static void out_string(struct out *o, const char *s, u32 width)
{
	u32 n = 0;

	for (; *s != '\0'; s++, n++)
		out_char(o, *s);
	for (; n < width; n++)
		out_char(o, ' ');
}

void str_vformat(char *out, u32 size, const char *fmt, va_list ap)
{
	struct out o = { .buf = out, .size = size };

	for (; *fmt != '\0'; fmt++) {
		u32 width = 0, longs = 0;
		char pad = ' ';
		s64 val;

		if (*fmt != '%') {
			out_char(&o, *fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = '0';
		for (; *fmt == '-' || (*fmt >= '0' && *fmt <= '9'); fmt++)
			width = *fmt == '-' ? 0 : width * 10 + (u32)(*fmt - '0');
		for (; *fmt == 'l'; fmt++)
			longs++;
		switch (*fmt) {
		case 's':
			out_string(&o, va_arg(ap, const char *), width);
			break;
		case 'c':
			out_char(&o, (char)va_arg(ap, int));
			break;
		case 'd':
			val = longs != 0 ? va_arg(ap, s64) : va_arg(ap, int);
			if (val < 0)
				out_char(&o, '-');
			out_number(&o, (u64)(val < 0 ? -val : val), 10, width, pad);
			break;
		case 'u':
			out_number(&o, longs != 0 ? va_arg(ap, u64) : va_arg(ap, u32), 10, width,
				   pad);
			break;
		case 'x':
			out_number(&o, longs != 0 ? va_arg(ap, u64) : va_arg(ap, u32), 16, width,
				   pad);
			break;
		default:
			out_char(&o, *fmt);
		}
	}
	out[o.len] = '\0';
}

void str_format(char *out, u32 size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_vformat(out, size, fmt, ap);
	va_end(ap);
}
