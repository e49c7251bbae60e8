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

/* word_number() - decimal, or hexadecimal with 0x; false: anything else, overflow included. */
bool word_number(struct word w, u64 *val);

/* word_bool() - on/off in the forms of KVM's module parameters; false: @w is none of them. */
bool word_bool(struct word w, u32 *val);

enum cpu_fixed { CPU_FIXED_ON, CPU_FIXED_OFF, CPU_FIXED_NEITHER };

/* QEMU's names with one right value, or none. */
struct cpu_fixed_row {
	enum cpu_fixed is;
	const char *names; /* separated by blanks; "x-*": whatever begins with "x-" */
	const char *why;
};

/* option_cpu_rows.c */
extern const struct cpu_fixed_row cpu_fixed_rows[];
extern const u32 cpu_fixed_row_count;

/* A word of cpu= with a value. */
struct cpu_setting {
	const char *name, *help;
	u32 offset;       /* of the field in struct config */
	u32 max;          /* the highest number, or the most characters */
	u32 number;       /* the default, or */
	const char *text; /* the default text; NULL: a number */
};

/* option_setting.c */
extern const struct cpu_setting cpu_settings[];
extern const u32 cpu_setting_count;

void option_settings_default(struct config *c);
const struct cpu_setting *option_setting_find(struct word name); /* NULL: there is none */
MUST_CHECK err_t option_setting_set(struct parse *p, const struct cpu_setting *s, struct word val);

/* option_setting_is_off() - it has the number that switches its feature off. */
bool option_setting_is_off(const struct config *c, const struct cpu_setting *s);

/* option_setting_value() - ",name=value", or nothing if it is the default. Returns its length. */
size_t option_setting_value(const struct config *c, const struct cpu_setting *s, char *text,
			    size_t len);

/* option_cpu_profile() - the features of a profile. Empty for one that is not implemented yet. */
u64 option_cpu_profile(u32 profile);

/* option_cpu_set() - the value of cpu=: QEMU's form, a model, then features. */
MUST_CHECK err_t option_cpu_set(struct parse *p, struct word val);

/*
 * option_cpu_resolve() - after the last word: apply cpu= to the profile's features. A feature that
 * the user named must have all it needs; others are dropped if they lack something.
 */
MUST_CHECK err_t option_cpu_resolve(struct parse *p);

/* option_cpu_value() - cpu= as given. */
void option_cpu_value(const struct options *o, char *text, size_t len);

/* option_cpu_is_named() - is @w the feature's name @name, written with '-' or '_'? */
bool option_cpu_is_named(struct word w, const char *name);

/* option_cpu_knows() - @w, without its value, is a word of cpu=, possible here or not. */
bool option_cpu_knows(struct word w);

/* option_ports.c: the value of a PORTS row. */
MUST_CHECK err_t option_ports_set(struct parse *p, const struct option_row *row, struct word val);
void option_ports_value(const struct options *o, const struct option_row *row, char *text,
			size_t len);

/* option_ports_check() - after option_cpu_resolve(): the feature that has ports is on. */
MUST_CHECK err_t option_ports_check(struct parse *p);

/* option_syndbg.c: after option_cpu_resolve(): the debugger and its port, both or neither, and the
 * port is not the log's. */
MUST_CHECK err_t option_syndbg_check(struct parse *p);

/* option_help.c: help= as a number, enum help_mode. */
MUST_CHECK err_t option_help_find(struct parse *p, struct word val, u32 *help);
void option_help_value(u32 help, char *text, size_t len);
