/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines of the machine report, the format of docs/report.md: one fact per line in stable words,
 * between a begin line with the format's version and an end line with the count. Pure; one CPU.
 */
#pragma once

#include "core/diag/result.h"
#include "core/lib/compiler.h"
#include "core/lib/types.h"

#define REPORT_FORMAT   1u
#define REPORT_LINE_MAX 200u  /* longer ones are continued by a line of the section "+" */
#define REPORT_TEXT_MAX 2304u /* longest value: a command line, quoted */

struct report {
	void (*print)(const char *line); /* NULL: the report is closed */
	u32 lines;                       /* printed so far */
	size_t len;
	char line[REPORT_LINE_MAX + 1];
	char text[REPORT_TEXT_MAX]; /* the value being built */
	u32 refusals;               /* reasons against a run ... */
	char refusal[REFUSAL_MAX];  /* ... and the first of them; "": none */
};

/* report_open() - the begin line. @mode, @version: as words. */
void report_open(struct report *r, void (*print)(const char *line), const char *mode,
		 const char *version);

/* report_is_open() - lines may be added. Everything below does nothing on a closed report. */
bool report_is_open(const struct report *r);

/* report_line() - begin a line of @section, a word; ends the one before. */
void report_line(struct report *r, const char *section);

/* report_field() - append " @key=value", quoted unless the value is a plain word. */
void report_field(struct report *r, const char *key, const char *fmt, ...) PRINTF(3, 4);

/* report_break() - print the line so far: other text may come in between. */
void report_break(struct report *r);

/* report_refuse() - a reason against a run. The first one is the verdict. Also on a closed report.
 */
void report_refuse(struct report *r, const char *why);

/* report_result() - the last sentence, by what report_refuse() was told. */
void report_result(const struct report *r);

/* report_close() - the verdict and the end line. @complete: nothing was left out. */
void report_close(struct report *r, bool complete);
