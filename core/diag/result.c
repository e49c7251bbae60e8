/* SPDX-License-Identifier: BSD-2-Clause */
/* The last sentence of a boot that starts no guest. Pure. */
#include "core/diag/result.h"

#include "core/diag/log.h"
#include "core/diag/panic.h"
#include "core/hw.h"
#include "core/lib/fmt.h"
#include "core/lib/wrap.h"

static void print(const char *line)
{
	log_panic("%s", line);
}

static void say(enum tone tone, const char *text)
{
	log_info(HALTED); /* where the log goes: on a screen only the sentence stands out */
	hw_console_tone(tone);
	wrap_text(text, print);
	hw_console_tone(TONE_PLAIN);
}

void result_can_run(void)
{
	say(TONE_GOOD, "RESULT: Kensho can run here");
}

void result_cannot_run(const char *why, u32 more)
{
	static char text[REFUSAL_MAX + 80], others[48];

	if (more != 0)
		fmt_print(others, sizeof(others), "; and %u more: see the report above", more);
	fmt_print(text, sizeof(text), "RESULT: Kensho cannot run here: %s%s", why, others);
	say(TONE_BAD, text);
}
