/* SPDX-License-Identifier: BSD-2-Clause */
/* Words and names of the command line, for the files that parse it. Pure. */
#pragma once

#include "boot/option/option.h"
#include "core/lib/word.h"

struct parse {
	struct options *o;
	char *msg;
	size_t msg_len;
};

/* word_bool() - on/off in the forms of KVM's module parameters; false: @w is none of them. */
bool word_bool(struct word w, u32 *val);

enum cpu_fixed { CPU_FIXED_ON, CPU_FIXED_OFF, CPU_FIXED_NEITHER };

/* Names of QEMU that have one right value, or cannot be given one. */
struct cpu_fixed_row {
	enum cpu_fixed is;
	const char *names; /* separated by blanks; "x-*": whatever begins with "x-" */
	const char *why;
};

/* option_cpu_rows.c */
extern const struct cpu_fixed_row cpu_fixed_rows[];
extern const u32 cpu_fixed_row_count;

/* option_cpu_profile() - the features that a profile asks for. Empty for those that do not exist
 * yet, too. */
u64 option_cpu_profile(u32 profile);

/* option_cpu_set() - the value of cpu=: QEMU's form, a model, then features. */
MUST_CHECK err_t option_cpu_set(struct parse *p, struct word val);

/*
 * option_cpu_resolve() - after the last word: the profile's features as cpu= changed them.
 * Those that the user named must have what they need; those of the profile are dropped without it.
 */
MUST_CHECK err_t option_cpu_resolve(struct parse *p);

/* option_cpu_value() - cpu= as it was given. */
void option_cpu_value(const struct options *o, char *text, size_t len);

/* option_print_row() - a row of the table of help, and what it is for. */
void option_print_row(const char *row, const char *help, void (*line)(const char *text));

/* option_cpu_print() - one row per feature. */
void option_cpu_print(void (*line)(const char *text));
