/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of the monitor, as rows: a name to type, perhaps a key that acts at once. The rows make
 * the help text, and a lint compares docs/monitor.md with them.
 */
#pragma once

#include "core/lib/types.h"
#include "core/lib/word.h"

struct vp;

struct command {
	const char *name;
	char key;         /* 0: only by name */
	const char *args; /* for the help text; "": takes none */
	const char *help;
	/* Answers through log_info(). @args: what follows the name. VP 0's CPU, root, in a timer.
	 */
	void (*fn)(struct vp *vp, struct word args);
};

extern const struct command commands[];
extern const u32 command_count;

/* command_key() - run the command of @key, or print that there is none. */
void command_key(struct vp *vp, char key);

/* command_line() - run what was typed: a name, then its arguments. An unknown name gets one line
 * with the closest one. */
void command_line(struct vp *vp, struct word line);
