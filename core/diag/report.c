/* SPDX-License-Identifier: BSD-2-Clause */
/* Lines of the machine report: quoting, continuation, the frame. Pure. */
#include "core/diag/report.h"

#include <stdarg.h>

#include "core/lib/bits.h"
#include "core/lib/fmt.h"
#include "core/lib/string.h"

#define PREFIX     "report: "
#define ESCAPE_MAX 4u /* "\x1f" */

static void flush(struct report *r)
{
	if (r->len == 0)
		return;
	r->line[r->len] = '\0';
	r->lines++;
	r->print(r->line);
	r->len = 0;
}

static void append(struct report *r, const char *s, size_t len)
{
	memcpy(r->line + r->len, s, len);
	r->len += len;
}

static void append_word(struct report *r, const char *s)
{
	append(r, s, strlen(s));
}

static void begin(struct report *r, const char *section)
{
	flush(r);
	append_word(r, PREFIX);
	append_word(r, section);
}

/* One character of a quoted value. Returns its length. */
static size_t escape(char c, char out[ESCAPE_MAX + 1])
{
	if (c == '"' || c == '\\')
		return fmt_print(out, ESCAPE_MAX + 1, "\\%c", c);
	if (c < ' ' || c > '~')
		return fmt_print(out, ESCAPE_MAX + 1, "\\x%02x", (u8)c);
	out[0] = c;
	return 1;
}

static bool is_plain(const char *s)
{
	if (*s == '\0')
		return false;
	for (; *s != '\0'; s++) {
		if (*s <= ' ' || *s > '~' || *s == '"' || *s == '\\' || *s == '=')
			return false;
	}
	return true;
}

static void put_plain(struct report *r, const char *key)
{
	size_t want = strlen(key) + strlen(r->text) + 2;

	if (r->len + want > REPORT_LINE_MAX)
		begin(r, "+");
	append_word(r, " ");
	append_word(r, key);
	append_word(r, "=");
	append_word(r, r->text);
}

/* May take several lines: key="..." and then key+="...". */
static void put_quoted(struct report *r, const char *key)
{
	const char *s = r->text;
	bool first = true;

	do {
		size_t whole = strlen(key) + strlen(s) + sizeof(" =\"\"");

		if (!first || r->len + whole > REPORT_LINE_MAX)
			begin(r, "+");
		append_word(r, " ");
		append_word(r, key);
		append_word(r, first ? "=\"" : "+=\"");
		for (; *s != '\0' && r->len + ESCAPE_MAX < REPORT_LINE_MAX; s++) {
			char c[ESCAPE_MAX + 1];

			append(r, c, escape(*s, c));
		}
		append_word(r, "\"");
		first = false;
	} while (*s != '\0');
}

void report_open(struct report *r, void (*print)(const char *line), const char *mode,
		 const char *version)
{
	*r = (struct report){ .print = print };
	report_line(r, "begin");
	report_field(r, "format", "%u", REPORT_FORMAT);
	report_field(r, "mode", "%s", mode);
	report_field(r, "version", "%s", version);
}

bool report_is_open(const struct report *r)
{
	return r->print != NULL;
}

void report_line(struct report *r, const char *section)
{
	if (report_is_open(r))
		begin(r, section);
}

void report_field(struct report *r, const char *key, const char *fmt, ...)
{
	va_list ap;

	if (!report_is_open(r))
		return;
	va_start(ap, fmt);
	fmt_vprint(r->text, sizeof(r->text), fmt, ap);
	va_end(ap);
	if (is_plain(r->text) &&
	    strlen(key) + strlen(r->text) + sizeof(PREFIX "+ =") <= REPORT_LINE_MAX)
		put_plain(r, key);
	else
		put_quoted(r, key);
}

void report_break(struct report *r)
{
	if (report_is_open(r))
		flush(r);
}

void report_refuse(struct report *r, const char *why)
{
	if (r->refusals++ == 0)
		fmt_print(r->refusal, sizeof(r->refusal), "%s", why);
}

void report_result(const struct report *r)
{
	if (r->refusals == 0)
		result_can_run();
	else
		result_cannot_run(r->refusal, r->refusals - 1);
}

void report_close(struct report *r, bool complete)
{
	if (!report_is_open(r))
		return;
	report_line(r, "verdict");
	report_field(r, "run", "%s", r->refusals != 0 ? "no" : complete ? "yes" : "unknown");
	if (r->refusals != 0)
		report_field(r, "reason", "%s", r->refusal);
	report_line(r, "end");
	report_field(r, "lines", "%u", r->lines + 1);
	report_field(r, "complete", "%s", complete ? "yes" : "no");
	flush(r);
	r->print = NULL;
}
