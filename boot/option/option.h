/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypervisor options: one row each. The command line is "name=value" words separated by blanks;
 * an unknown or malformed one stops the boot with the closest valid name. Pure, fuzzed.
 */
#pragma once

#include "boot/option/test_faults.h"
#include "core/config.h"
#include "core/lib/err.h"
#include "core/lib/types.h"

enum option_type {
	OPTION_BOOL,
	OPTION_UINT,
	OPTION_ENUM,
	OPTION_SET,
	OPTION_HELP,
	OPTION_CPU,
	OPTION_PORTS,
};

struct option_row {
	const char *name;
	const char *values; /* "a|b|c"; UINT: the unit, and "|-1" where that is CONFIG_ADAPTS */
	u32 min, max;       /* UINT */
	const char *dflt;   /* as the user would write it */
	const char *help;   /* one line */
	const char *more;   /* Markdown for docs/options.md; "": nothing */
	enum option_type type;
	bool is_config; /* of struct config */
	u32 offset;     /* of the field in struct options; not of CPU */
	u32 size;       /* 1 of BOOL, 0 of PORTS, else 4 */
};

/* help=NAME is HELP_TOPIC plus a topic: an option, a feature or a word of cpu= with a value. */
enum help_mode { HELP_OFF, HELP_ON, HELP_TOPIC };

#define TEST_FAULT_VALUE(name, point, help) V(TEST_FAULT_##name, #name)

#define BOOL(...)
#define UINT(...)
#define HELP(...)
#define CPU(...)
#define SET(...)
#define V(id, word)             id,
#define ENUM(name, values, ...) enum name##_option{ values };
#include "boot/option/options.def"
#undef V

/* Values after parsing; defaults from the rows. */
struct options {
	struct config config; /* copied to the partition as a whole */

#define BOOL(name, ...)        bool name;
#define UINT(name, field, ...) u32 field;
#define ENUM(name, ...)        enum name##_option name;
#define HELP(name, ...)        u32 name;
#define SET(name, ...)         u32 name;
#define CPU(...)
#include "boot/option/options.def"

	u64 cpu_on, cpu_off; /* from the last cpu=: a set of features, hv/feature.h */
	u64 cpu_dropped;     /* in the profile, but lacking something they need */
	u64 given;           /* bit i: option i was given */
};

/* A conflict: while option @name is @value, @option must not be given. */
struct option_rule {
	const char *name, *value;
	const char *option; /* must not be given */
	const char *why;
	bool but_default; /* its default may be given */
};

extern const struct option_row option_rows[];
extern const u32 option_row_count;
extern const struct option_rule option_rules[];
extern const u32 option_rule_count;

void options_default(struct options *o);

/**
 * options_parse() - apply @cmdline over @o, left to right.
 * @msg: on error, one line that names the option, the cause and the remedy (closest valid name).
 */
MUST_CHECK err_t options_parse(struct options *o, const char *cmdline, char *msg, size_t msg_len);

/**
 * options_dropped() - features of the profile that are off because other options took away what
 * they need, as one line of text; false: none.
 */
bool options_dropped(const struct options *o, char *text, size_t len);

/* option_value() - the value of row @i as the user would write it. */
void option_value(const struct options *o, u32 i, char *text, size_t len);

/* options_features() - names of the features that the guest gets, separated by blanks. */
void options_features(const struct options *o, char *text, size_t len);

/*
 * options_print() - the text for help=, one @line call per line of at most 79 characters. HELP_ON:
 * all names with their defaults, which leaves room on a screen of 25 lines; else one topic in full.
 */
void options_print(u32 help, void (*line)(const char *text));
