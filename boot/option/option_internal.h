/* SPDX-License-Identifier: BSD-2-Clause */
/* Words and names of the command line, for the files that parse it. Pure. */
#pragma once

#include "boot/option/option.h"

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

/* A feature that cpu= switches. */
struct cpu_feature_row {
	const char *name;
	const char *help;
	u64 needs;           /* earlier features, BIT64(enum cpu_feature) */
	bool needs_hlt_exit; /* the option hlt=exit */
};

enum cpu_fixed { CPU_FIXED_ON, CPU_FIXED_OFF, CPU_FIXED_NEITHER };

/* Names of QEMU that have one right value, or cannot be given one. */
struct cpu_fixed_row {
	enum cpu_fixed is;
	const char *names; /* separated by blanks; "x-*": whatever begins with "x-" */
	const char *why;
};

/* option_cpu_rows.c */
extern const struct cpu_feature_row cpu_feature_rows[CPU_FEATURE_COUNT];
extern const u64 cpu_profiles[PROFILE_COUNT]; /* 0 for those that do not exist yet, too */
extern const struct cpu_fixed_row cpu_fixed_rows[];
extern const u32 cpu_fixed_row_count;

/* option_cpu_set() - the value of cpu=: QEMU's form, a model, then features. */
MUST_CHECK err_t option_cpu_set(struct parse *p, struct word val);

/*
 * option_cpu_resolve() - after the last word: the profile's features as cpu= changed them.
 * Those that the user named must have what they need; those of the profile are dropped without it.
 */
MUST_CHECK err_t option_cpu_resolve(struct parse *p);

/* option_cpu_value() - cpu= as it was given. */
void option_cpu_value(const struct options *o, char *text, size_t len);

/* option_cpu_print() - one @line call per feature. */
void option_cpu_print(void (*line)(const char *text));
