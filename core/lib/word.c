/* SPDX-License-Identifier: BSD-2-Clause */
/* Words of a typed line. Pure. */
#include "core/lib/word.h"

#include "core/lib/bits.h"
#include "core/lib/string.h"

/* Names beyond this length are never "the closest". */
#define NAME_MAX 31u

bool word_is(struct word w, const char *name)
{
	return strlen(name) == w.len && strncmp(w.s, name, w.len) == 0;
}

struct word word_cut(struct word *rest, char sep, bool *found)
{
	struct word head = { .s = rest->s };

	while (head.len < rest->len && rest->s[head.len] != sep)
		head.len++;
	*found = head.len < rest->len;
	rest->s += head.len + *found;
	rest->len -= head.len + *found;
	return head;
}

static u32 min3(u32 a, u32 b, u32 c)
{
	return umin32(a, umin32(b, c));
}

u32 word_distance(struct word a, struct word b)
{
	u8 row[NAME_MAX + 1];

	if (a.len > NAME_MAX || b.len > NAME_MAX)
		return ~0u;
	for (u32 j = 0; j <= b.len; j++)
		row[j] = (u8)j;
	for (u32 i = 1; i <= a.len; i++) {
		u32 diagonal = row[0];

		row[0] = (u8)i;
		for (u32 j = 1; j <= b.len; j++) {
			u32 above = row[j];

			row[j] = (u8)min3(above + 1, row[j - 1] + 1u,
					  diagonal + (a.s[i - 1] != b.s[j - 1]));
			diagonal = above;
		}
	}
	return row[b.len];
}

void word_closer(struct word w, const char *name, u32 *best, const char **best_name)
{
	u32 d = word_distance(w, (struct word){ name, strlen(name) });

	if (d < *best) {
		*best = d;
		*best_name = name;
	}
}

bool word_u32(struct word w, u32 *val)
{
	u32 v = 0;

	if (w.len == 0 || w.len > 9)
		return false;
	for (size_t i = 0; i < w.len; i++) {
		if (w.s[i] < '0' || w.s[i] > '9')
			return false;
		v = v * 10 + (u32)(w.s[i] - '0');
	}
	*val = v;
	return true;
}
