/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hypervisor options: one row each. The command line is "name=value" words separated by blanks;
 * an unknown or malformed one stops the boot with the closest valid name. Pure, fuzzed.
 */
#pragma once

#include "core/lib/err.h"
#include "core/lib/types.h"
#include "core/surface/cpu_feature.h"

enum option_type { OPTION_BOOL, OPTION_UINT, OPTION_ENUM, OPTION_STRING, OPTION_CPU };

struct option_row {
	const char *name;
	const char *values; /* ENUM: "a|b|c"; UINT: documentation of the range */
	u64 min, max;       /* UINT */
	const char *dflt;   /* as the user would write it */
	const char *help;
	enum option_type type;
	u32 offset; /* of the field in struct options: u32, or u64 for UINT, char[] for STRING */
	u32 size;
	bool has_auto;    /* UINT: "-1" is OPTION_AUTO */
	const char *bare; /* value of the name alone; NULL: a value must be given, but BOOL: on */
};

enum guest_source { GUEST_AUTO, GUEST_DISK0, GUEST_DEMO };
enum apicv_mode { APICV_AUTO, APICV_ON, APICV_OFF };
/* vga: what the screen was called when it knew text only */
enum console_mode { CONSOLE_ALL, CONSOLE_COM1, CONSOLE_SCREEN, CONSOLE_NONE, CONSOLE_VGA };
enum log_target { LOG_NONE, LOG_COM2 };
enum mitigations_mode { MITIGATIONS_AUTO, MITIGATIONS_OFF, MITIGATIONS_ALL };
enum trace_mode { TRACE_MODE_RARE, TRACE_MODE_EXITS };
enum crash_mode { CRASH_REBOOT, CRASH_HALT };
enum on_panic_mode { PANIC_HALT, PANIC_REBOOT };
enum test_fault_at { FAULT_IN_GUEST, FAULT_AT_BOOT };
enum mwait_mode { MWAIT_HIDE, MWAIT_C1 };
enum hlt_mode { HLT_EXIT, HLT_PASSTHROUGH };
/* Sets of cpu= features by name; from PROFILE_HV on they are names only. */
enum profile {
	PROFILE_KVM,
	PROFILE_KVM_TEST,
	PROFILE_BARE,
	PROFILE_HV,
	PROFILE_HV_TEST,
	PROFILE_BOTH,
	PROFILE_NESTED,
	PROFILE_COUNT
};
enum selftest_mode { SELFTEST_OFF, SELFTEST_ON, SELFTEST_STOP };
enum testdev_exit_mode { TESTDEV_EXIT_HALT, TESTDEV_EXIT_POWEROFF };

#define OPTION_AUTO (~0ull) /* a UINT that was given as "-1" */

/* Values after parsing; defaults from the rows. */
struct options {
	u32 help, dryrun, selftest, guest, apicv, console, log, mitigations, on_crash, on_panic;
	u32 trace;
	u32 ignore_msrs, report_ignored_msrs;
	u64 stats; /* seconds, 0 off */
	u64 tsc_tolerance_ppm;
	u64 maxcpus;
	u32 profile;
	u64 cpu_on, cpu_off; /* as the last cpu= has it: BIT64(enum cpu_feature) */
	u64 cpu_features;    /* what the guest gets: follows from those above and hlt= */
	u64 cpu_dropped;     /* of the profile, and without something else that they need */
	u32 test_fault;      /* 0: none, else 1 + the row of TEST_FAULTS */
	u32 test_fault_at;
	u64 halt_poll_ns, halt_poll_ns_grow, halt_poll_ns_grow_start, halt_poll_ns_shrink;
	u64 min_timer_period_us;
	u64 lapic_timer_advance_ns; /* or OPTION_AUTO */
	u32 vector_hashing, mwait, hlt;
	u32 testdev, testdev_exit;
	u32 kvmclock_periodic_sync, ept_audit;
	u64 given; /* bit i: the command line has the option of row i */
};

/* A dependency: with this value of an ENUM or BOOL field an option must not be given. */
struct option_rule {
	u32 offset, value;
	const char *when;   /* the same as the user writes it */
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
 * options_dropped() - the features that the profile has and the other options leave without what
 * they need, as one line of text; false: none.
 */
bool options_dropped(const struct options *o, char *text, size_t len);

/* option_value() - the value of row @i as the user would write it. */
void option_value(const struct options *o, u32 i, char *text, size_t len);

/* options_features() - names of the features that the guest gets, separated by blanks. */
void options_features(const struct options *o, char *text, size_t len);

/* options_print() - the table (name, type/values, default, help), one @line call per row; then the
 * features of cpu=. */
void options_print(void (*line)(const char *text));
