/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the guest said when it crashed, for whoever has no console of its own: logged at once, and
 * the last one kept. Pure.
 */
#pragma once

#include "core/lib/compiler.h"
#include "core/lib/types.h"

#define GUEST_CRASH_PARAMS 5u
#define GUEST_CRASH_TEXT   4096u /* bytes */

/* With their text in the log; of later ones only a line, so that a guest cannot flood the log. */
#define GUEST_CRASHES_LOGGED 4u

/**
 * guest_crash_note() - the guest on @vp's CPU says that it has crashed. @text: @len bytes, of which
 * GUEST_CRASH_TEXT count; what is not printable becomes a dot, lines end at newlines. Any CPU.
 */
void guest_crash_note(u32 vp, const u64 param[GUEST_CRASH_PARAMS], const char *text, size_t len);

/* guest_crash_count() - how many there were. Any CPU. */
u32 guest_crash_count(void);

/* guest_crash_dump() - the last one, line by line; or that there was none. Nothing while another
 * CPU does it. Any CPU. */
void guest_crash_dump(void (*line)(const char *fmt, ...) PRINTF(1, 2));

/* guest_crash_dump_alone() - the last one, if any. All other CPUs have stopped, wherever that was:
 * takes no lock. */
void guest_crash_dump_alone(void (*line)(const char *fmt, ...) PRINTF(1, 2));

/* guest_crash_reset() - tests start afresh. */
void guest_crash_reset(void);
