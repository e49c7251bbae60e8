/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last sentence of a boot that starts no guest, for a person: on every console, green or red.
 * Tools read the machine report. Pure. Context: one CPU, which halts afterwards.
 */
#pragma once

#include "core/lib/types.h"

#define REFUSAL_MAX 448u /* bytes of the longest text of a refusal */

/* result_can_run() - "RESULT: Kensho can run here". */
void result_can_run(void);

/**
 * result_cannot_run() - "RESULT: Kensho cannot run here: @why".
 * @why:  the first reason, "CAUSE; do this: REMEDY"
 * @more: reasons that the report above has beside it
 */
void result_cannot_run(const char *why, u32 more);
