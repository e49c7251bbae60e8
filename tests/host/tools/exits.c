/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * For `make docs`: the exit reasons of one class, from the exit table of a guest without a
 * paravirtual interface.
 *
 *   exits handled|ud|gp|stop
 */
#include <stdio.h>
#include <string.h>

#include "core/exit/exit.h"

int main(int argc, char **argv)
{
	static const char *const classes[] = {
		[EXIT_CLASS_HANDLED] = "handled",
		[EXIT_CLASS_UD] = "ud",
		[EXIT_CLASS_GP] = "gp",
		[EXIT_CLASS_STOP] = "stop",
	};
	const char *comma = "";

	exit_table_init(&exit_table_guest);
	for (u32 reason = 0; argc > 1 && reason < EXIT_REASON_COUNT; reason++) {
		const struct exit_row *row = exit_table_row(&exit_table_guest, reason);

		if (row == NULL || strcmp(classes[row->class], argv[1]) != 0)
			continue;
		printf("%s%s (%u)", comma, row->name, reason);
		comma = ", ";
	}
	puts("");
	return 0;
}
