/* SPDX-License-Identifier: BSD-2-Clause */
/* Formatted text into a bounded buffer. Any context, pure, no locale, no floating point. */
#include "core/lib/fmt.h"

#include "core/lib/string.h"

struct out {
	char *buf;
	size_t size; /* of buf, including the terminator */
	size_t len;  /* what the text has needed so far */
};

struct spec {
	bool left, zero, alt, has_precision;
	u32 width, precision;
	u32 longs; /* 0: int, else 64 bits */
	char conv;
};

/* A number with its sign or prefix, ready to be padded. */
struct text {
	const char *s;
	size_t len;
	const char *prefix;
};

/* A hostile or mistyped width must not keep a panic from being printed. */
#define FMT_WIDTH_MAX 4096u

static void emit(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void emit_n(struct out *o, char c, size_t n)
{
	while (n-- > 0)
		emit(o, c);
}

static void emit_text(struct out *o, const struct spec *sp, const struct text *t)
{
	size_t prefix = strlen(t->prefix);
	size_t digits = t->len;
	size_t zeros = 0;
	size_t pad;

	/* A precision sets the number of digits, and disables the 0 flag. */
	if (sp->conv != 's' && sp->conv != 'c' && sp->has_precision && sp->precision > digits)
		zeros = sp->precision - digits;
	pad = prefix + zeros + digits < sp->width ? sp->width - prefix - zeros - digits : 0;
	if (sp->zero && !sp->left && !sp->has_precision) {
		zeros = pad;
		pad = 0;
	}
	if (!sp->left)
		emit_n(o, ' ', pad);
	for (size_t i = 0; i < prefix; i++)
		emit(o, t->prefix[i]);
	emit_n(o, '0', zeros);
	for (size_t i = 0; i < digits; i++)
		emit(o, t->s[i]);
	if (sp->left)
		emit_n(o, ' ', pad);
}

static void emit_number(struct out *o, const struct spec *sp, u64 v, bool negative)
{
	const char *set = sp->conv == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	bool hex = sp->conv == 'x' || sp->conv == 'X' || sp->conv == 'p';
	struct text t = { .prefix = negative ? "-" : "" };
	char buf[20]; /* 2^64 - 1 has 20 decimal digits */
	size_t at = sizeof(buf);
	bool prefix = (sp->alt && v != 0) || sp->conv == 'p';

	if (hex && prefix)
		t.prefix = sp->conv == 'X' ? "0X" : "0x";
	for (; v != 0; v = hex ? v / 16 : v / 10)
		buf[--at] = set[hex ? v % 16 : v % 10];
	if (at == sizeof(buf) && !(sp->has_precision && sp->precision == 0))
		buf[--at] = '0';
	t.s = &buf[at];
	t.len = sizeof(buf) - at;
	emit_text(o, sp, &t);
}

static void emit_string(struct out *o, const struct spec *sp, const char *s)
{
	struct text t = { .prefix = "" };
	struct spec plain = *sp;

	if (s == NULL)
		s = "(null)";
	while ((!sp->has_precision || t.len < sp->precision) && s[t.len] != '\0')
		t.len++;
	t.s = s;
	plain.zero = false;
	emit_text(o, &plain, &t);
}

/* A width or precision: digits or '*'. May be negative. */
static s32 parse_count(const char **p, va_list *ap)
{
	u32 n = 0;

	if (**p == '*') {
		(*p)++;
		return va_arg(*ap, int);
	}
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (n < FMT_WIDTH_MAX)
			n = n * 10 + (u32)(**p - '0');
	}
	return (s32)n;
}

static u32 clamp_count(s32 n)
{
	return n < 0 ? 0 : (u32)n > FMT_WIDTH_MAX ? FMT_WIDTH_MAX : (u32)n;
}

/* @p points past the '%'; advanced past the conversion character (or to the final NUL). */
static struct spec parse_spec(const char **p, va_list *ap)
{
	struct spec sp = { 0 };
	s32 n;

	for (;; (*p)++) {
		if (**p == '-')
			sp.left = true;
		else if (**p == '0')
			sp.zero = true;
		else if (**p == '#')
			sp.alt = true;
		else
			break;
	}
	n = parse_count(p, ap);
	if (n < 0) {
		sp.left = true;
		n = n < -(s32)FMT_WIDTH_MAX ? (s32)FMT_WIDTH_MAX : -n;
	}
	sp.width = clamp_count(n);
	if (**p == '.') {
		(*p)++;
		n = parse_count(p, ap);
		sp.has_precision = n >= 0;
		sp.precision = clamp_count(n);
	}
	for (; **p == 'l' || **p == 'z' || **p == 'h'; (*p)++)
		sp.longs += **p != 'h';
	sp.conv = **p;
	if (sp.conv != '\0')
		(*p)++;
	return sp;
}

/* Here long, size_t and long long are all 64 bits wide. */
static void emit_signed(struct out *o, const struct spec *sp, va_list *ap)
{
	s64 v = sp->longs == 0 ? va_arg(*ap, int) : va_arg(*ap, s64);

	emit_number(o, sp, v < 0 ? 0 - (u64)v : (u64)v, v < 0);
}

static void emit_unsigned(struct out *o, const struct spec *sp, va_list *ap)
{
	u64 v = sp->longs == 0 ? va_arg(*ap, unsigned int) : va_arg(*ap, u64);

	emit_number(o, sp, v, false);
}

static void emit_conversion(struct out *o, const char **p, va_list *ap)
{
	struct spec sp = parse_spec(p, ap);
	char c;

	switch (sp.conv) {
	case 'd':
	case 'i':
		emit_signed(o, &sp, ap);
		break;
	case 'u':
	case 'x':
	case 'X':
		emit_unsigned(o, &sp, ap);
		break;
	case 'p':
		emit_number(o, &sp, (uintptr_t)va_arg(*ap, void *), false);
		break;
	case 's':
		emit_string(o, &sp, va_arg(*ap, const char *));
		break;
	case 'c':
		c = (char)va_arg(*ap, int);
		sp.zero = false;
		emit_text(o, &sp, &(struct text){ .s = &c, .len = 1, .prefix = "" });
		break;
	case '%':
		emit(o, '%');
		break;
	default:
		/* Unknown: print it, so that the mistake shows. Its argument is not consumed. */
		emit(o, '%');
		if (sp.conv != '\0')
			emit(o, sp.conv);
		break;
	}
}

size_t fmt_vprint(char *buf, size_t len, const char *fmt, va_list ap)
{
	struct out o = { .buf = buf, .size = len };
	va_list args;

	va_copy(args, ap);
	while (*fmt != '\0') {
		if (*fmt != '%') {
			emit(&o, *fmt++);
			continue;
		}
		fmt++;
		emit_conversion(&o, &fmt, &args);
	}
	va_end(args);
	if (len > 0)
		buf[o.len < len ? o.len : len - 1] = '\0';
	return o.len;
}

size_t fmt_print(char *buf, size_t len, const char *fmt, ...)
{
	va_list ap;
	size_t n;

	va_start(ap, fmt);
	n = fmt_vprint(buf, len, fmt, ap);
	va_end(ap);
	return n;
}
