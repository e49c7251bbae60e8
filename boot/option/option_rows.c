/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table, made of boot/option/options.def and core/config.def. Pure data. */
#include "boot/option/option.h"
#include "core/diag/trace.h"
#include "core/lib/bits.h"
#include "core/partition.h"

#define ROW(row_name, row_type, field, row_dflt, row_help, row_more)                          \
	.name = #row_name, .type = (row_type), .offset = offsetof(struct options, field),     \
	.size = sizeof(((struct options *)0)->field), .dflt = (row_dflt), .help = (row_help), \
	.more = (row_more)

/* "|a|b|c" without its first bar. */
#define V(id, word)    "|" word
#define WORDS(values_) (&("" values_)[1])

#define TEXT(x)    #x
#define TEXT_OF(x) TEXT(x) /* of a macro's value */

/* clang-format off */
const struct option_row option_rows[] = {
#define BOOL(name, dflt, help, more)                                                               \
	{ ROW(name, OPTION_BOOL, name, dflt, help, more), .values = "on|off" },
#define ENUM(name, words, dflt, help, more)                                                        \
	{ ROW(name, OPTION_ENUM, name, dflt, help, more), .values = WORDS(words) },
#define UINT(name, field, unit, low, high, dflt, help, more)                                       \
	{ ROW(name, OPTION_UINT, field, dflt, help, more), .values = (unit), .min = (low),         \
	  .max = (high) },
#define SET(name, words, dflt, help, more)                                                         \
	{ ROW(name, OPTION_SET, name, dflt, help, more), .values = WORDS(words) },
#define HELP(name, dflt, help, more)                                                               \
	{ ROW(name, OPTION_HELP, name, dflt, help, more), .values = "on|off|NAME" },
#define CPU(row_name, row_dflt, row_help, row_more)                                                \
	{ .name = #row_name, .type = OPTION_CPU, .values = "host[,FEATURE=on|off]...",             \
	  .dflt = (row_dflt), .help = (row_help), .more = (row_more) },
#include "boot/option/options.def"
#define BOOL(name, dflt, help, more)                                                               \
	{ ROW(name, OPTION_BOOL, config.name, dflt, help, more), .values = "on|off",               \
	  .is_config = true },
#define ENUM(name, words, dflt, help, more)                                                        \
	{ ROW(name, OPTION_ENUM, config.name, dflt, help, more), .values = WORDS(words),           \
	  .is_config = true },
#define UINT(name, field, unit, low, high, dflt, help, more)                                       \
	{ ROW(name, OPTION_UINT, config.field, dflt, help, more), .values = (unit), .min = (low),  \
	  .max = (high), .is_config = true },
#define PORTS(row_name, row_help, row_more)                                                        \
	{ .name = #row_name, .type = OPTION_PORTS, .values = "ID:VP:SINT[:message|event][,...]",   \
	  .dflt = "none", .help = (row_help), .more = (row_more), .is_config = true,               \
	  .offset = offsetof(struct options, config.row_name) },
#include "core/config.def"
};
/* clang-format on */

const u32 option_row_count = ARRAY_SIZE(option_rows);
static_assert(ARRAY_SIZE(option_rows) <= 64, "struct options.given");
static_assert(sizeof(enum profile_option) == sizeof(u32), "fields are u32 or bool");

#define NOT_WITH_HLT_PASSTHROUGH(name)                                                             \
	{                                                                                          \
		"hlt", "passthrough", name, "a HLT that does not exit cannot be polled for", false \
	}

const struct option_rule option_rules[] = {
	NOT_WITH_HLT_PASSTHROUGH("halt_poll_ns"),
	NOT_WITH_HLT_PASSTHROUGH("halt_poll_ns_grow"),
	NOT_WITH_HLT_PASSTHROUGH("halt_poll_ns_grow_start"),
	NOT_WITH_HLT_PASSTHROUGH("halt_poll_ns_shrink"),
	{ "profile", "kvm-test", "mwait",
	  "Linux that sees MWAIT uses neither PV TLB flushes nor yields", true },
	{ "dryrun", "on", "selftest", "it enters VMX, and a dry run does not", true },
	{ "testdev", "off", "testdev_exit", "the exit port exists with testdev=on only", true },
};

const u32 option_rule_count = ARRAY_SIZE(option_rules);
