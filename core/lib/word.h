/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a typed line, and the nearest name to a misspelt one. Pure. */
#pragma once

#include "core/lib/types.h"

/* A piece of a line: not terminated. */
struct word {
	const char *s;
	size_t len;
};

bool word_is(struct word w, const char *name);

/* word_cut() - split @rest at @sep: returns the part before it, leaves the part after it. */
struct word word_cut(struct word *rest, char sep, bool *found);

/* word_u32() - a decimal number of at most 9 digits; false: not one. */
bool word_u32(struct word w, u32 *val);

/* word_distance() - Levenshtein distance; ~0 when either is too long to be compared. */
u32 word_distance(struct word a, struct word b);

/* word_closer() - @name becomes *@best_name if it is nearer to @w than *@best, which starts as ~0.
 */
void word_closer(struct word w, const char *name, u32 *best, const char **best_name);
