/* SPDX-License-Identifier: BSD-2-Clause */
/* Words and names of the command line, for the files that parse it. Pure. */
#pragma once

#include "core/option.h"

/* A piece of the command line: not terminated. */
struct word {
	const char *s;
	size_t len;
};

struct parse {
	struct options *o;
	char *msg;
	size_t msg_len;
};

bool word_is(struct word w, const char *name);

/* word_cut() - split @rest at @sep: returns what precedes it, leaves what follows. */
struct word word_cut(struct word *rest, char sep, bool *found);

/* word_bool() - on/off in the forms of KVM's module parameters; false: @w is none of them. */
bool word_bool(struct word w, u32 *val);

/* word_distance() - Levenshtein distance; ~0 when either is too long to be compared. */
u32 word_distance(struct word a, struct word b);

/* word_closer() - @name becomes *@best_name if it is nearer to @w than *@best, which starts as ~0.
 */
void word_closer(struct word w, const char *name, u32 *best, const char **best_name);

/* option_cpu_set() - the value of cpu=: QEMU's form, a model, then features. */
MUST_CHECK err_t option_cpu_set(struct parse *p, struct word val);
